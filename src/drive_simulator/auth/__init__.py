"""Google's token endpoint and service accounts."""
