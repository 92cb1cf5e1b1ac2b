"""The item index: what the worker has written of each item, in a changelog topic and a local store beside it."""
