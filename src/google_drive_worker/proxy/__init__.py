"""A small webhook proxy for development and the demonstration: HTTP in, Kafka messages out."""
