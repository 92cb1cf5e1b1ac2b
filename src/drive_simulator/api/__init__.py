"""The Drive API over the model: calls in, answers out, without a transport."""
