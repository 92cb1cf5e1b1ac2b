"""Faults on demand, of calls and of notifications."""
