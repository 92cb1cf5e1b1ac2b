"""The Google Drive client: authorization, quotas, and what is asked how."""
