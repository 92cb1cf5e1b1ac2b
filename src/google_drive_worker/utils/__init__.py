"""Holds the error tree and nothing else."""
