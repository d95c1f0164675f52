"""Drills against a gateway that runs: faults on marked traffic of one service, whose upstream is the drill itself."""
