"""What a message from Kafka is turned into."""
