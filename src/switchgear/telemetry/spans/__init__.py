"""From events to spans: what a trace is made of, whoever it is exported to. Pure: no I/O, no clock."""
