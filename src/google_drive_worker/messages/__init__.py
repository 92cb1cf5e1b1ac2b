"""Codecs of everything that crosses Kafka: triggers in, records and errors out."""
