"""The demonstration: simulator, Kafka and worker in one process, and a mirror held against the Drive."""
