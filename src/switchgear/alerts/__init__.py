"""Tells people first: rules over what is known anyway, a state machine, and channels that carry the message."""
