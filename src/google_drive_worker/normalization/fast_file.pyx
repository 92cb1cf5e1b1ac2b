# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""The fast way from a listed file to its record, compiled; `transformer` is the one that says what a record is.

`fast_file` does for the files that nearly every drive is full of what `transformer.transform_file` does for all: one pass
over Google's JSON that notes where each value stands, and one that writes our names before them. It knows only what is
usual. Whatever is not (a value of another type, a null, a time with an offset, properties, an escaped surrogate …) makes
it return `None`, and the caller goes the long way. So it never differs: the tests hold the two against each other.

Its input has been through msgspec's decoder: it is well-formed JSON. UTF-8 is checked here, since what is copied reaches
a consumer. Bounds are kept all the same: no read goes past the input's end, and the buffer is as large as any output.
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.stdint cimport uint8_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memchr, memcmp, memcpy

from msgspec import Raw

from google_drive_worker.domain.drive import FOLDER_MIME_TYPE
from google_drive_worker.domain.record import ListedFile, Record
from google_drive_worker.normalization.exports import EXPORT_FORMATS

cdef enum Kind:
    TEXT
    BOOLEAN
    NUMBER
    TIME
    TEXTS
    SHORTCUT
    PERSON
    PEOPLE
    CAPABILITIES
    LINK_SHARE
    UNUSUAL
    CHECKSUMS
    PARENTS_TOO
    EXPORTS

cdef enum:
    MAX_FIELDS = 64
    MAX_NAME = 40
    REMEMBERED = 4
    MAX_REMEMBERED = 1024

# Most files of a drive have the same owner, editor and capabilities. Of each such field the last few values are kept with
# what came of them: one that begins with the same bytes is the same value, since an object ends by itself.
cdef struct Remembered:
    Py_ssize_t size
    Py_ssize_t written_size
    uint8_t text[MAX_REMEMBERED]
    uint8_t written[2 * MAX_REMEMBERED]

cdef struct Span:
    const uint8_t *at
    Py_ssize_t size
    Remembered *same

cdef struct Field:
    const char *google
    Py_ssize_t google_size
    const char *ours
    Py_ssize_t ours_size
    Kind kind

cdef struct Table:
    Field fields[MAX_FIELDS]
    int count
    # Fields of a name's length, as a chain: the first of each length, and of each field the next.
    int first[MAX_NAME]
    int next[MAX_FIELDS]

cdef struct Writer:
    uint8_t *at

cdef Remembered remembered[MAX_FIELDS][REMEMBERED]
cdef int remembered_next[MAX_FIELDS]

_KEPT = []  # the names that the tables point into


cdef void _fill(Table *table, fields):
    cdef int number
    cdef bytes google, ours
    table.count = 0
    for number in range(MAX_NAME):
        table.first[number] = -1
    for google_name, our_name, kind in fields:
        google, ours = google_name.encode(), f'"{our_name}":'.encode()
        _KEPT.append((google, ours))
        number = table.count
        table.fields[number].google = google
        table.fields[number].google_size = len(google)
        table.fields[number].ours = ours
        table.fields[number].ours_size = len(ours)
        table.fields[number].kind = kind
        table.next[number] = table.first[len(google)]
        table.first[len(google)] = number
        table.count += 1


# In the order of `shapes.FileData`; `type` comes with `id`, and `parent_id` with `parents`.
cdef Table FILE, USER_TABLE, SHORTCUT_TABLE, LINK_SHARE_TABLE
_fill(&FILE, [
    ("id", "id", TEXT),
    ("name", "name", TEXT),
    ("mimeType", "mime_type", TEXT),
    ("size", "size_bytes", NUMBER),
    ("createdTime", "created_at", TIME),
    ("modifiedTime", "modified_at", TIME),
    ("trashed", "trashed", BOOLEAN),
    ("description", "description", TEXT),
    ("driveId", "drive_id", TEXT),
    ("parents", "parents", PARENTS_TOO),
    ("version", "version", NUMBER),
    ("quotaBytesUsed", "quota_bytes_used", NUMBER),
    ("headRevisionId", "head_revision_id", TEXT),
    ("md5Checksum", "md5", CHECKSUMS),
    ("sha1Checksum", "sha1", CHECKSUMS),
    ("sha256Checksum", "sha256", CHECKSUMS),
    ("originalFilename", "original_filename", TEXT),
    ("fileExtension", "file_extension", TEXT),
    ("fullFileExtension", "full_file_extension", TEXT),
    ("modifiedByMeTime", "modified_by_me_at", TIME),
    ("viewedByMeTime", "viewed_by_me_at", TIME),
    ("sharedWithMeTime", "shared_with_me_at", TIME),
    ("explicitlyTrashed", "explicitly_trashed", BOOLEAN),
    ("trashedTime", "trashed_at", TIME),
    ("trashingUser", "trashed_by", PERSON),
    ("starred", "starred", BOOLEAN),
    ("shared", "shared", BOOLEAN),
    ("ownedByMe", "owned_by_me", BOOLEAN),
    ("owners", "owners", PEOPLE),
    ("lastModifyingUser", "last_modified_by", PERSON),
    ("sharingUser", "shared_by", PERSON),
    ("webViewLink", "web_view_link", TEXT),
    ("webContentLink", "web_content_link", TEXT),
    ("iconLink", "icon_link", TEXT),
    ("hasThumbnail", "has_thumbnail", BOOLEAN),
    ("", "export_formats", EXPORTS),
    ("shortcutDetails", "shortcut", SHORTCUT),
    ("spaces", "spaces", TEXTS),
    ("properties", "properties", UNUSUAL),
    ("appProperties", "app_properties", UNUSUAL),
    ("folderColorRgb", "folder_color_rgb", TEXT),
    ("writersCanShare", "writers_can_share", BOOLEAN),
    ("copyRequiresWriterPermission", "copy_requires_writer_permission", BOOLEAN),
    ("inheritedPermissionsDisabled", "inherited_permissions_disabled", BOOLEAN),
    ("hasAugmentedPermissions", "has_augmented_permissions", BOOLEAN),
    ("permissionIds", "permission_ids", TEXTS),
    ("resourceKey", "resource_key", TEXT),
    ("capabilities", "capabilities", CAPABILITIES),
    ("contentRestrictions", "content_restrictions", UNUSUAL),
    ("linkShareMetadata", "link_share_metadata", LINK_SHARE),
])
_fill(&USER_TABLE, [
    ("displayName", "display_name", TEXT),
    ("emailAddress", "email_address", TEXT),
    ("permissionId", "permission_id", TEXT),
    ("photoLink", "photo_link", TEXT),
    ("me", "me", BOOLEAN),
])
_fill(&SHORTCUT_TABLE, [
    ("targetId", "target_id", TEXT),
    ("targetMimeType", "target_mime_type", TEXT),
    ("targetResourceKey", "target_resource_key", TEXT),
])
_fill(&LINK_SHARE_TABLE, [
    ("securityUpdateEligible", "security_update_eligible", BOOLEAN),
    ("securityUpdateEnabled", "security_update_enabled", BOOLEAN),
])

cdef enum:
    ID = 0
    NAME = 1
    MIME_TYPE = 2
    SIZE = 3
    CREATED = 4
    MODIFIED = 5
    TRASHED = 6
    DRIVE_ID = 8
    PARENTS = 9
    MD5 = 13

_EXPORTS = {
    mime_type.encode(): b",".join(b'"' + each.encode() + b'"' for each in formats)
    for mime_type, formats in EXPORT_FORMATS.items()
}
cdef bytes _FOLDER = FOLDER_MIME_TYPE.encode()
cdef bytes _WORKSPACE = b"application/vnd.google-apps."


def fast_file(resource):
    """Return the `ListedFile` of a `File` resource (`bytes` or `msgspec.Raw`); `None` where it is not a usual one."""
    cdef Py_buffer view
    cdef Span spans[MAX_FIELDS]
    cdef uint8_t *buffer
    PyObject_GetBuffer(resource, &view, PyBUF_SIMPLE)
    # Each byte of output is a copied one, an underscore before one, the first parent once more, or one of our names.
    buffer = <uint8_t *>malloc(3 * view.len + 4096)
    if buffer == NULL:
        PyBuffer_Release(&view)
        raise MemoryError
    try:
        return _listed(<const uint8_t *>view.buf, view.len, spans, buffer)
    finally:
        free(buffer)
        PyBuffer_Release(&view)


cdef object _listed(const uint8_t *text, Py_ssize_t size, Span *spans, uint8_t *buffer):
    cdef Writer writer
    cdef Span *mime
    cdef Span whole
    cdef bint is_folder
    whole.at, whole.size = text, size
    if not _is_utf8(text, size) or not _find(&FILE, whole, spans):
        return None
    if spans[ID].at == NULL or spans[NAME].at == NULL or spans[MIME_TYPE].at == NULL:
        return None
    mime = &spans[MIME_TYPE]
    if not _is_plain_text(spans[ID]) or not _is_plain_text(mime[0]):
        return None
    is_folder = mime.size == len(_FOLDER) + 2 and memcmp(mime.at + 1, <const char *>_FOLDER, mime.size - 2) == 0
    writer.at = buffer
    if not _write_file(&writer, spans, is_folder):
        return None
    kind = "folder" if is_folder else "file"
    data = Raw(PyBytes_FromStringAndSize(<const char *>buffer, writer.at - buffer))
    drive_id = None
    if spans[DRIVE_ID].at != NULL:
        if not _is_plain_text(spans[DRIVE_ID]):
            return None
        drive_id = _inside(spans[DRIVE_ID])
    modified = None if spans[MODIFIED].at == NULL else _inside(spans[MODIFIED])
    trashed = spans[TRASHED].at != NULL and spans[TRASHED].at[0] == c"t"
    return ListedFile(drive_id, trashed, modified, Record(kind, _inside(spans[ID]), "upsert", data))


cdef bint _write_file(Writer *writer, Span *spans, bint is_folder) noexcept:
    cdef int number
    cdef Kind kind
    cdef bint done
    _put(writer, b"{", 1)
    for number in range(FILE.count):
        kind = FILE.fields[number].kind
        if kind == EXPORTS:
            _put_exports(writer, spans[MIME_TYPE])
            continue
        if kind == CHECKSUMS:
            if number == MD5 and not _put_checksums(writer, spans):
                return False
            continue
        if spans[number].at == NULL:
            _put_default(writer, number)
            continue
        if kind == PARENTS_TOO:
            done = _put_parents(writer, spans[number])
        elif PERSON <= kind <= LINK_SHARE:
            done = _put_remembered(writer, number, spans[number])
        else:
            done = _put_member(writer, &FILE.fields[number], spans[number])
        if not done:
            return False
        if number == ID:
            if is_folder:
                _put(writer, b',"type":"folder"', 16)
            else:
                _put(writer, b',"type":"file"', 14)
    _put(writer, b"}", 1)
    return True


cdef inline void _put_default(Writer *writer, int number) noexcept:
    """What the specification names is always there."""
    if number == SIZE or number == CREATED or number == MODIFIED:
        _put_name(writer, &FILE.fields[number])
        _put(writer, b"null", 4)
    elif number == TRASHED:
        _put_name(writer, &FILE.fields[number])
        _put(writer, b"false", 5)


cdef bint _put_checksums(Writer *writer, Span *spans) noexcept:
    cdef int number
    cdef bint any_is_there = False
    for number in range(MD5, MD5 + 3):
        any_is_there = any_is_there or spans[number].at != NULL
    if not any_is_there:
        return True
    _put(writer, b',"checksums":{', 14)
    for number in range(MD5, MD5 + 3):
        if spans[number].at != NULL:
            _put_name(writer, &FILE.fields[number])
            if not _put_value(writer, spans[number], TEXT):
                return False
    _put(writer, b"}", 1)
    return True


cdef bint _put_remembered(Writer *writer, int number, Span value) noexcept:
    cdef uint8_t *begin
    _put_name(writer, &FILE.fields[number])
    if value.same != NULL:
        _put(writer, <const char *>value.same.written, value.same.written_size)
        return True
    begin = writer.at
    if not _put_value(writer, value, FILE.fields[number].kind):
        return False
    _remember(number, value, begin, writer.at - begin)
    return True


cdef bint _put_member(Writer *writer, Field *field, Span value) noexcept:
    _put_name(writer, field)
    return _put_value(writer, value, field.kind)


cdef bint _put_value(Writer *writer, Span value, Kind kind) noexcept:
    if kind == TEXT:
        if not _is_text(value):
            return False
    elif kind == BOOLEAN:
        if value.at[0] != c"t" and value.at[0] != c"f":
            return False
    elif kind == NUMBER:
        return _put_number(writer, value)
    elif kind == TIME:
        if not _is_utc_time(value):
            return False
    elif kind == TEXTS:
        if not _are_texts(value):
            return False
    elif kind == PERSON:
        return _put_object(writer, value, &USER_TABLE)
    elif kind == PEOPLE:
        return _put_people(writer, value)
    elif kind == SHORTCUT:
        return _put_object(writer, value, &SHORTCUT_TABLE)
    elif kind == LINK_SHARE:
        return _put_object(writer, value, &LINK_SHARE_TABLE)
    elif kind == CAPABILITIES:
        return _put_capabilities(writer, value)
    else:
        return False
    _put(writer, <const char *>value.at, value.size)
    return True


cdef inline void _put(Writer *writer, const char *text, Py_ssize_t size) noexcept:
    memcpy(writer.at, text, size)
    writer.at += size


cdef inline void _put_name(Writer *writer, Field *field) noexcept:
    if (writer.at - 1)[0] != c"{":
        writer.at[0] = c","
        writer.at += 1
    _put(writer, field.ours, field.ours_size)


cdef bint _put_number(Writer *writer, Span value) noexcept:
    """An int64 in quotes; one of so many digits that it may be none goes the long way."""
    cdef Py_ssize_t i
    if value.size < 3 or value.size > 20 or value.at[0] != c'"':
        return False
    if value.at[1] == c"0" and value.size > 3:
        return False
    for i in range(1, value.size - 1):
        if not c"0" <= value.at[i] <= c"9":
            return False
    _put(writer, <const char *>value.at + 1, value.size - 2)
    return True


cdef bint _put_parents(Writer *writer, Span value) noexcept:
    cdef Span first
    cdef const uint8_t *at = value.at + 1
    if not _are_texts(value):
        return False
    at = _past_space(at, value.at + value.size)
    if at[0] != c"]":
        first.at = at
        first.size = _past_value(at, value.at + value.size) - at
        _put(writer, b',"parent_id":', 13)
        _put(writer, <const char *>first.at, first.size)
    _put_name(writer, &FILE.fields[PARENTS])
    _put(writer, <const char *>value.at, value.size)
    return True


cdef void _put_exports(Writer *writer, Span mime):
    cdef bytes formats
    if mime.size - 2 < len(_WORKSPACE) or memcmp(mime.at + 1, <const char *>_WORKSPACE, len(_WORKSPACE)) != 0:
        return
    found = _EXPORTS.get((<const char *>mime.at)[1 : mime.size - 1])
    if found is not None:
        formats = found
        _put(writer, b',"export_formats":[', 19)
        _put(writer, <const char *>formats, len(formats))
        _put(writer, b"]", 1)


cdef bint _put_object(Writer *writer, Span value, Table *table) noexcept:
    cdef Span spans[MAX_FIELDS]
    cdef int number
    if not _find(table, value, spans):
        return False
    _put(writer, b"{", 1)
    for number in range(table.count):
        if spans[number].at != NULL and not _put_member(writer, &table.fields[number], spans[number]):
            return False
    _put(writer, b"}", 1)
    return True


cdef bint _put_people(Writer *writer, Span value) noexcept:
    cdef const uint8_t *end = value.at + value.size
    cdef const uint8_t *at = value.at + 1
    cdef Span item
    if value.at[0] != c"[":
        return False
    _put(writer, b"[", 1)
    while True:
        at = _past_space(at, end)
        if at >= end:
            return False
        if at[0] == c"]":
            break
        if at[0] == c",":
            _put(writer, b",", 1)
            at += 1
            continue
        item.at = at
        at = _past_value(at, end)
        item.size = at - item.at
        if not _put_object(writer, item, &USER_TABLE):
            return False
    _put(writer, b"]", 1)
    return True


cdef bint _put_capabilities(Writer *writer, Span value) noexcept:
    """Names to snake_case, values as they are."""
    cdef const uint8_t *end = value.at + value.size
    cdef const uint8_t *at = value.at + 1
    cdef const uint8_t *past
    cdef Span names[MAX_FIELDS]
    cdef int count = 0
    if value.at[0] != c"{":
        return False
    _put(writer, b"{", 1)
    while True:
        at = _past_space(at, end)
        if at >= end:
            return False
        if at[0] == c"}":
            break
        if at[0] == c",":
            at += 1
            continue
        past = _past_value(at, end)
        if at[0] != c'"' or past >= end or count == MAX_FIELDS or _is_among(at, past - at, names, count):
            return False
        names[count].at, names[count].size = at, past - at
        count += 1
        if (writer.at - 1)[0] != c"{":
            _put(writer, b",", 1)
        while at < past:
            if at[0] == c"\\" or at[0] == c"_":
                return False
            if c"A" <= at[0] <= c"Z":
                writer.at[0] = c"_"
                writer.at[1] = at[0] + 32
                writer.at += 2
            elif at[0] >= 0x80:
                return False  # other alphabets have capitals too
            else:
                writer.at[0] = at[0]
                writer.at += 1
            at += 1
        at = _past_space(at, end)
        if at >= end or at[0] != c":":
            return False
        at = _past_space(at + 1, end)
        if at >= end or (at[0] != c"t" and at[0] != c"f"):
            return False
        past = _past_value(at, end)
        _put(writer, b":", 1)
        _put(writer, <const char *>at, past - at)
        at = past
    _put(writer, b"}", 1)
    return True


cdef bint _is_among(const uint8_t *at, Py_ssize_t size, Span *names, int count) noexcept:
    cdef int number
    for number in range(count):
        if names[number].size == size and memcmp(names[number].at, at, size) == 0:
            return True
    return False


cdef bint _find(Table *table, Span value, Span *spans) noexcept:
    """Where each field's value stands. False for what is no usual object, or has a name twice."""
    cdef const uint8_t *end = value.at + value.size
    cdef const uint8_t *at = _past_space(value.at, end)
    cdef const uint8_t *name
    cdef Py_ssize_t size
    cdef int number
    for number in range(table.count):
        spans[number].at = NULL
    if at >= end or at[0] != c"{":
        return False
    at += 1
    while True:
        at = _past_space(at, end)
        if at >= end:
            return False
        if at[0] == c"}":
            return True
        if at[0] == c",":
            at += 1
            continue
        if at[0] != c'"':
            return False
        name = at + 1
        at = _past_value(at, end)
        size = at - 1 - name
        at = _past_space(at, end)
        if at >= end or at[0] != c":":
            return False
        at = _past_space(at + 1, end)
        if at >= end:
            return False
        number = _number_of(table, name, size)
        if number == -2 or (number >= 0 and spans[number].at != NULL):
            return False
        if number < 0:
            at = _past_value(at, end)
            continue
        spans[number].at = at
        spans[number].same = NULL
        if table == &FILE and PERSON <= table.fields[number].kind <= LINK_SHARE:
            spans[number].same = _recall(number, at, end)
        if spans[number].same != NULL:
            at += spans[number].same.size
        else:
            at = _past_value(at, end)
        spans[number].size = at - spans[number].at


cdef inline Remembered *_recall(int number, const uint8_t *at, const uint8_t *end) noexcept:
    cdef int i
    cdef Remembered *kept
    for i in range(REMEMBERED):
        kept = &remembered[number][i]
        if 0 < kept.size <= end - at and memcmp(kept.text, at, kept.size) == 0:
            return kept
    return NULL


cdef inline void _remember(int number, Span value, const uint8_t *written, Py_ssize_t written_size) noexcept:
    cdef Remembered *kept
    if value.size > MAX_REMEMBERED or written_size > 2 * MAX_REMEMBERED:
        return
    kept = &remembered[number][remembered_next[number]]
    remembered_next[number] = (remembered_next[number] + 1) % REMEMBERED
    memcpy(kept.text, value.at, value.size)
    memcpy(kept.written, written, written_size)
    kept.size, kept.written_size = value.size, written_size


cdef int _number_of(Table *table, const uint8_t *name, Py_ssize_t size) noexcept:
    """Of the field with that name, -1 where there is none, -2 where the name is escaped and may be anything."""
    cdef int number
    cdef Py_ssize_t i
    if 0 < size < MAX_NAME:
        number = table.first[size]
        while number >= 0:
            if memcmp(table.fields[number].google, name, size) == 0:
                return number
            number = table.next[number]
    for i in range(size):
        if name[i] == c"\\":
            return -2
    return -1


cdef inline const uint8_t *_past_space(const uint8_t *at, const uint8_t *end) noexcept:
    while at < end and (at[0] == c" " or at[0] == c"\n" or at[0] == c"\r" or at[0] == c"\t"):
        at += 1
    return at


cdef inline const uint8_t *_past_string(const uint8_t *at, const uint8_t *end) noexcept:
    cdef const uint8_t *escape
    at += 1
    while at < end:
        at = <const uint8_t *>memchr(at, c'"', end - at)
        if at == NULL:
            return end
        escape = at
        while (escape - 1)[0] == c"\\":
            escape -= 1
        at += 1
        if (at - escape) & 1:  # an even number of backslashes: none of them is for the quote
            return at
    return end


cdef const uint8_t *_past_value(const uint8_t *at, const uint8_t *end) noexcept:
    """Past the value that begins here; of what is nested only strings and brackets count."""
    cdef int depth = 0
    while at < end:
        if at[0] == c'"':
            at = _past_string(at, end)
        elif at[0] == c"{" or at[0] == c"[":
            depth += 1
            at += 1
        elif at[0] == c"}" or at[0] == c"]":
            if depth == 0:
                return at
            depth -= 1
            at += 1
        elif depth == 0:
            while at < end and at[0] != c"," and at[0] != c"}" and at[0] != c"]" and at[0] > c" ":
                at += 1
            return at
        else:
            at += 1
            continue
        if depth == 0:
            return at
    return end


cdef bint _is_text(Span value) noexcept:
    """A string whose escapes stand for themselves: half of a surrogate pair may lack the other."""
    cdef Py_ssize_t i = 1
    if not _is_string(value):
        return False
    if memchr(value.at, c"\\", value.size) == NULL:
        return True
    while i < value.size - 1:
        if value.at[i] == c"\\":
            if value.at[i + 1] == c"u" and (
                i + 3 >= value.size or ((value.at[i + 2] | 32) == c"d" and value.at[i + 3] >= c"8")
            ):
                return False
            i += 2
        else:
            i += 1
    return True


cdef bint _is_plain_text(Span value) noexcept:
    """A string without any escape."""
    return _is_string(value) and memchr(value.at, c"\\", value.size) == NULL


cdef inline bint _is_string(Span value) noexcept:
    return value.size >= 2 and value.at[0] == c'"' and value.at[value.size - 1] == c'"'


cdef bint _are_texts(Span value) noexcept:
    cdef const uint8_t *end = value.at + value.size
    cdef const uint8_t *at = value.at + 1
    cdef Span item
    if value.at[0] != c"[":
        return False
    while True:
        at = _past_space(at, end)
        if at >= end:
            return False
        if at[0] == c"]":
            return True
        if at[0] == c",":
            at += 1
            continue
        item.at = at
        at = _past_value(at, end)
        item.size = at - item.at
        if not _is_text(item):
            return False


cdef str _inside(Span value):
    return PyUnicode_DecodeUTF8(<const char *>value.at + 1, value.size - 2, NULL)


cdef inline int _two_digits(const uint8_t *at) noexcept:
    if c"0" <= at[0] <= c"9" and c"0" <= at[1] <= c"9":
        return (at[0] - c"0") * 10 + at[1] - c"0"
    return -1


cdef bint _is_utc_time(Span value) noexcept:
    """`"2025-01-15T10:00:00.000Z"` or the same without milliseconds, and a moment that there was."""
    cdef const uint8_t *at = value.at + 1
    cdef int century, year, month, day, days
    if value.at[0] != c'"' or (value.size != 26 and value.size != 22):
        return False
    if at[4] != c"-" or at[7] != c"-" or at[10] != c"T" or at[13] != c":" or at[16] != c":":
        return False
    century, year = _two_digits(at), _two_digits(at + 2)
    month, day = _two_digits(at + 5), _two_digits(at + 8)
    if century < 0 or year < 0 or century + year == 0:
        return False
    year += 100 * century
    if month < 1 or month > 12 or day < 1:
        return False
    days = 30 if month in (4, 6, 9, 11) else 28 if month == 2 else 31
    if month == 2 and year % 4 == 0 and (year % 100 != 0 or year % 400 == 0):
        days = 29
    if day > days:
        return False
    if not (0 <= _two_digits(at + 11) < 24 and 0 <= _two_digits(at + 14) < 60 and 0 <= _two_digits(at + 17) < 60):
        return False
    if value.size == 22:
        return at[19] == c"Z"
    return at[19] == c"." and _two_digits(at + 20) >= 0 and c"0" <= at[22] <= c"9" and at[23] == c"Z"


cdef bint _is_utf8(const uint8_t *at, Py_ssize_t size) noexcept:
    """Whether it is UTF-8 (RFC 3629): shortest forms alone, no surrogates, nothing over U+10FFFF."""
    cdef const uint8_t *end = at + size
    cdef uint64_t words[4]
    cdef uint8_t lead, low, high
    cdef int more
    while at < end:
        if end - at >= 32:
            memcpy(words, at, 32)
            if not (words[0] | words[1] | words[2] | words[3]) & <uint64_t>0x8080808080808080:
                at += 32
                continue
        lead = at[0]
        at += 1
        if lead < 0x80:
            continue
        low, high = 0x80, 0xBF
        if 0xC2 <= lead <= 0xDF:
            more = 1
        elif 0xE0 <= lead <= 0xEF:
            more = 2
            if lead == 0xE0:
                low = 0xA0
            elif lead == 0xED:
                high = 0x9F
        elif 0xF0 <= lead <= 0xF4:
            more = 3
            if lead == 0xF0:
                low = 0x90
            elif lead == 0xF4:
                high = 0x8F
        else:
            return False
        if end - at < more:
            return False
        while more > 0:
            if not low <= at[0] <= high:
                return False
            low, high = 0x80, 0xBF
            at += 1
            more -= 1
    return True
