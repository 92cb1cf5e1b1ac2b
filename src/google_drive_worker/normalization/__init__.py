"""Google's resources turned into the records of the platform contract."""
