"""Drive, OAuth, batches and the admin endpoints on one port; the command line."""
