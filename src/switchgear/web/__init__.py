"""The control API and the pages. Reads insight, and is mounted beside the gateway's data path."""
