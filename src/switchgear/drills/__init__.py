"""Drills: a provider that fails on demand, to prove that the gate holds."""
