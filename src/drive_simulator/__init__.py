"""A faithful local Google Drive that speaks HTTP, for tests, the demo and benchmarks."""
