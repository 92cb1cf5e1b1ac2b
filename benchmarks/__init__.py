"""How fast the worker is, beside the floor and the common stack, in one run: `python -m benchmarks`."""
