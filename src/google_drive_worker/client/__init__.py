"""The Google Drive client: authorization, transport, retries and quotas."""
