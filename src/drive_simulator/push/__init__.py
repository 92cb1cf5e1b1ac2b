"""Push notifications: the channels, and the messages on their way."""
