"""A stand-in for the Control Plane: its HTTP interface over mutual TLS, with a private authority. Tests, demo, play."""
