"""Export by OTLP over HTTP, from a process of its own: the gate only hands events on.

Encoding spans takes more time than the gate itself does (docs/decisions/0021), so that nothing of it
happens in the process that serves calls.
"""
