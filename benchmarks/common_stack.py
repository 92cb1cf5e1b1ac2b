"""The stack that most would pick: httpx, pydantic models, aiokafka's idempotent producer with lz4.

One process (`python -m benchmarks.common_stack ORIGIN BROKERS TOPIC`), as the libraries' guides have it: a model
a page, a model a record, `send` for each record. The same fields as the worker, no transactions, no checkpoint.
"""

import asyncio
import sys
import uuid
from datetime import UTC, datetime

import httpx
import msgspec
from aiokafka import AIOKafkaProducer
from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from benchmarks.measure import Result, peak_mb_here, result, usage_here
from google_drive_worker.client.fields import FILES_PAGE_FIELDS


class _Google(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel)


class _User(_Google):
    display_name: str | None = None
    email_address: str | None = None
    permission_id: str | None = None
    photo_link: str | None = None
    me: bool | None = None


class _File(_Google):
    id: str
    name: str = ""
    mime_type: str = ""
    description: str | None = None
    drive_id: str | None = None
    parents: list[str] | None = None
    size: int | None = None
    quota_bytes_used: int | None = None
    version: int | None = None
    head_revision_id: str | None = None
    md5_checksum: str | None = None
    sha1_checksum: str | None = None
    sha256_checksum: str | None = None
    original_filename: str | None = None
    file_extension: str | None = None
    full_file_extension: str | None = None
    created_time: datetime | None = None
    modified_time: datetime | None = None
    modified_by_me_time: datetime | None = None
    viewed_by_me_time: datetime | None = None
    shared_with_me_time: datetime | None = None
    trashed: bool = False
    starred: bool | None = None
    shared: bool | None = None
    owned_by_me: bool | None = None
    owners: list[_User] | None = None
    last_modifying_user: _User | None = None
    sharing_user: _User | None = None
    web_view_link: str | None = None
    web_content_link: str | None = None
    icon_link: str | None = None
    has_thumbnail: bool | None = None
    spaces: list[str] | None = None
    properties: dict[str, str] | None = None
    app_properties: dict[str, str] | None = None
    writers_can_share: bool | None = None
    copy_requires_writer_permission: bool | None = None
    permission_ids: list[str] | None = None
    capabilities: dict[str, bool] | None = None


class _Page(_Google):
    files: list[_File] = []
    next_page_token: str | None = None


class _Record(BaseModel):
    message_id: str
    customer_id: str
    integration_id: str = "google-drive"
    integration_connection_id: str
    resource_type: str
    resource_id: str
    idempotency_key: str
    operation: str = "upsert"
    sync_id: str
    produced_at: datetime
    schema_version: str = "1.0"
    data: _File


def _record(file: _File, sync_id: str, produced_at: datetime) -> _Record:
    kind = "folder" if file.mime_type == "application/vnd.google-apps.folder" else "file"
    return _Record(
        message_id=str(uuid.uuid4()),
        customer_id="cust_bench",
        integration_connection_id="conn_bench",
        resource_type=kind,
        resource_id=file.id,
        idempotency_key=f"google-drive:conn_bench:{kind}:{file.id}",
        sync_id=sync_id,
        produced_at=produced_at,
        data=file,
    )


async def run(origin: str, brokers: str, topic: str) -> Result:
    """Bring one listing to Kafka."""
    sync_id = str(uuid.uuid4())
    producer = AIOKafkaProducer(bootstrap_servers=brokers, enable_idempotence=True, compression_type="lz4", linger_ms=2)
    await producer.start()
    async with httpx.AsyncClient(base_url=origin + "/drive/v3") as client:
        await client.get("/changes/startPageToken")
        records = 0
        begin = usage_here()
        parameters = {"pageSize": "1000", "fields": FILES_PAGE_FIELDS}
        while True:
            page = _Page.model_validate_json((await client.get("/files", params=parameters)).content)
            produced_at = datetime.now(UTC)
            for file in page.files:
                record = _record(file, sync_id, produced_at)
                value = record.model_dump_json(exclude_none=True).encode()
                headers = [
                    ("source", b"google-drive"),
                    ("idempotency_key", record.idempotency_key.encode()),
                    ("content-type", b"application/json"),
                ]
                await producer.send(topic, value, key=b"conn_bench", headers=headers)
            records += len(page.files)
            if page.next_page_token is None:
                break
            parameters["pageToken"] = page.next_page_token
        await producer.stop()
        return result("common stack", records, begin, usage_here(), peak_mb_here())


if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.json.encode(asyncio.run(run(*sys.argv[1:4]))))
