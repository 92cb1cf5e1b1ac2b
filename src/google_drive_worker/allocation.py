"""How this process' memory is managed: the interpreter's collector, set for a loop of short-lived pages."""

import gc

YOUNG_OBJECTS = 50_000
"""New containers between two collections. Ten thousand records in flight hold about so many, and none of them is ever
part of a cycle: at Python's 700 the collector walks them over and over, a sixth of the worker's time."""


def tune_allocation() -> None:
    """Set it all, once, when imports are done; what lives by then is left out of every later collection."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, 10, 10)
