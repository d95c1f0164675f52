"""Reading provider traffic: what a request asks for, what an answer used, and how to say no in between."""
