"""The object store, put together from what the configuration says."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from google_drive_worker.domain.ids import ConnectionId
from google_drive_worker.storage.bucket import DirectoryBucket, S3Bucket, S3Options
from google_drive_worker.storage.credentials import Keys, chain_keys, keys_of
from google_drive_worker.storage.store import BucketStores, TemporaryKeySource


def object_stores(
    bucket: str,
    *,
    region: str,
    endpoint_url: str | None = None,
    kms_key_id: str | None = None,
    temporary_keys: TemporaryKeySource | None = None,
) -> BucketStores:
    """The store of a bucket's name, or of a `file://` address. No call is made.

    `temporary_keys` gives a connection's own keys; where it has none, the environment's do.
    """
    parts = urlsplit(bucket)
    if parts.scheme == "file":
        return BucketStores(DirectoryBucket(Path(unquote(parts.path))))
    options = S3Options(bucket, region, endpoint_url, kms_key_id)
    shared = S3Bucket(options, chain_keys)
    if temporary_keys is None:
        return BucketStores(shared)

    def own(connection_id: ConnectionId) -> S3Bucket:
        async def keys() -> Keys:
            offered = await temporary_keys(connection_id)
            return await chain_keys() if offered is None else keys_of(offered)

        return S3Bucket(options, keys)

    return BucketStores(shared, own)
