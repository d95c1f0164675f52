"""The layers of an application: each a function that can be called by itself."""
