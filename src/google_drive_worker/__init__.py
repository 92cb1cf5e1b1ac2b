"""Mirrors Google Drives into the Clustera Data Plane, exactly once, over Kafka."""

__version__ = "0.1.0"
