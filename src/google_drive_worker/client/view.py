"""What of a Drive a connection asks for: the parameters that its listings and logs have in common, and Drive's language
of queries."""

from dataclasses import dataclass

from google_drive_worker.client import fields
from google_drive_worker.client.calls import Parameter
from google_drive_worker.domain.drive import FOLDER_MIME_TYPE
from google_drive_worker.domain.ids import DriveId
from google_drive_worker.domain.times import TimeRange


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A connection's view of its Drive, by its settings."""

    include_shared_drives: bool
    sync_permissions: bool
    exclude_mime_types: tuple[str, ...]
    label_ids: tuple[str, ...] = ()

    @property
    def labels(self) -> list[Parameter]:
        """What asks for labels, where any are wanted."""
        return [("includeLabels", ",".join(self.label_ids))] if self.label_ids else []

    def listing(self, drive_id: DriveId | None, q: str, order_by: str | None, page_size: int) -> list[Parameter]:
        """files.list of one corpus; folders are never excluded, since what is in scope may be below them."""
        excluded = (
            f"mimeType != {query_literal(each)}" for each in self.exclude_mime_types if each != FOLDER_MIME_TYPE
        )
        q = " and ".join(filter(None, [q, *excluded]))
        return [
            ("corpora", "user" if drive_id is None else "drive"),
            *self.in_drive(drive_id),
            *self.items_from_all_drives(drive_id),
            *([("q", q)] if q else []),
            *([("orderBy", order_by)] if order_by else []),
            ("pageSize", str(page_size)),
        ]

    def fields(self, drive_id: DriveId | None, plain: str, with_permissions: str) -> str:
        """The mask of a page of items, with permissions where Google gives them with the items."""
        return self.labelled(with_permissions if drive_id is None and self.sync_permissions else plain)

    def labelled(self, mask: str) -> str:
        """The mask, with labels where any are wanted."""
        return fields.labelled(mask) if self.label_ids else mask

    def in_drive(self, drive_id: DriveId | None) -> list[Parameter]:
        """Of which shared drive, or (`None`) of the user's own corpus."""
        if drive_id is not None:
            return [("driveId", drive_id), ("supportsAllDrives", "true")]
        return [("supportsAllDrives", "true")] if self.include_shared_drives else []

    def items_from_all_drives(self, drive_id: DriveId | None) -> list[Parameter]:
        """Items of shared drives too, where any are wanted."""
        wanted = drive_id is not None or self.include_shared_drives
        return [("includeItemsFromAllDrives", "true")] if wanted else []


def query_literal(value: str) -> str:
    r"""Write `value` as a string of Drive's query language: in quotes, `'` and `\` escaped (guide "Search query")."""
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def query_of(modified: TimeRange | None, *, include_trashed: bool) -> str:
    """The query for what was modified in that range. A time without a zone is UTC (guide "Search query terms and
    operators")."""
    terms = [] if include_trashed else ["trashed = false"]
    if modified is not None and modified.until is not None:
        terms.insert(0, f"modifiedTime < {query_literal(modified.until)}")
    if modified is not None and modified.since is not None:
        terms.insert(0, f"modifiedTime >= {query_literal(modified.since)}")
    return " and ".join(terms)
