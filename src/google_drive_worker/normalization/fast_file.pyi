from collections.abc import Sequence

import msgspec

from google_drive_worker.domain.record import ListedFile

def fast_files(resources: Sequence[bytes | msgspec.Raw]) -> list[ListedFile | None]: ...
