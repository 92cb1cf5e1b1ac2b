from collections.abc import Sequence

from google_drive_worker.domain.record import Record
from google_drive_worker.messages.record import Encode, FrameOf

def fast_envelopes(
    records: Sequence[Record], message_ids: list[bytes], frame_of: FrameOf, encode: Encode
) -> tuple[list[bytes], list[bytes]]: ...
