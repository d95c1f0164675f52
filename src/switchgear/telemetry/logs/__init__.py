"""Logs: a line a change of state, in JSON or for people, of bounded number, and without payloads or secrets."""
