"""What an account should have mirrored, straight from the model."""
