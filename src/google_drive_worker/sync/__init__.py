"""The sync engine: pure decisions on what to fetch next and what to write."""
