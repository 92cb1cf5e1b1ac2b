"""What the tests share: brokers, readers, doubles."""
