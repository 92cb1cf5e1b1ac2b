"""Random edits, as a day of work makes them."""
