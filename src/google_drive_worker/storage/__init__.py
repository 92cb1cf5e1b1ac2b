"""The object store: what is too large for Kafka, under content-addressed keys."""
