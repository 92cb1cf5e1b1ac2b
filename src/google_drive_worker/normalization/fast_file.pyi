import msgspec

from google_drive_worker.domain.record import ListedFile

def fast_file(resource: bytes | msgspec.Raw) -> ListedFile | None: ...
