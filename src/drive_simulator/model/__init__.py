"""What a Drive holds and what happens to it. Nothing here knows of queries, HTTP or faults."""
