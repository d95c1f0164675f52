"""The scenarios: one module each, named as the scenario is, with a ``run(ground)`` that yields checks."""
