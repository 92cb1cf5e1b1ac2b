# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""The fast way from a page of files.list to its records, compiled; `transformer` is the one that says what a record is.

`fast_page` does for the files that nearly every drive is full of what msgspec and `transformer.transform_file` do for
all: one pass over Google's JSON that holds it to its grammar and notes where each value stands, and one that writes our
names before them. It knows only what is usual. A file that is not (a value of another type, a null, a time with an
offset, properties …) comes out as `None`, and the caller goes the long way; so does the whole page where it is not a usual
one, or holds anywhere what is no JSON as we know it (half of an escaped surrogate pair, brackets too deep). So it never
differs: the tests hold the two against each other.

UTF-8 is checked here, since what is copied reaches a consumer. No read goes past the input's end, and the buffer is as
large as any output.
"""

import sys

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memchr, memcmp, memcpy

from msgspec import Raw
from msgspec.json import decode as _decode, encode as _encode

from google_drive_worker.domain.drive import FOLDER_MIME_TYPE
from google_drive_worker.domain.file_types import holds_of
from google_drive_worker.domain.listed import ListedPage, RawItems
from google_drive_worker.domain.record import ItemRecord
from google_drive_worker.domain.times import sortable
from google_drive_worker.normalization.digests import digest_of
from google_drive_worker.normalization.exports import EXPORT_FORMATS

if sys.byteorder != "little":
    raise ModuleNotFoundError("strings are walked eight bytes at a time, the lowest byte first", name=__name__)

include "file_fields.pxi"
include "json_text.pxi"


cdef enum:
    SHORT_TIME = 22  # in quotes, without milliseconds
    KEPT_BYTES = 65536  # for files of up to 20 KB of JSON: nearly all
    MANY_ITEMS = 1024
    MOST_BYTES = 0x7FFFFFFF

cdef uint8_t kept_buffer[KEPT_BYTES]

cdef struct Limits:
    # Where each item begins and ends in its page.
    uint32_t *at
    Py_ssize_t count
    Py_ssize_t room


def fast_page(bytes body not None):
    """Return the `ListedPage` of an answer of files.list; `None` where it is not a usual one."""
    cdef const uint8_t *begin = <const uint8_t *>PyBytes_AS_STRING(body)
    cdef const uint8_t *end = begin + PyBytes_GET_SIZE(body)
    cdef Limits limits
    cdef list items = [], unread = []
    if end - begin > MOST_BYTES:
        return None
    limits.count, limits.room = 0, 2 * MANY_ITEMS
    limits.at = <uint32_t *>malloc(limits.room * sizeof(uint32_t))
    if limits.at == NULL:
        raise MemoryError
    try:
        more = _read_page(begin, end, items, unread, &limits)
        if more is None:
            return None
        where = PyBytes_FromStringAndSize(<const char *>limits.at, limits.count * sizeof(uint32_t))
    finally:
        free(limits.at)
    next_page_token, incomplete_search = more
    return ListedPage(RawItems(body, where), next_page_token, incomplete_search, items, tuple(unread))


cdef tuple _read_page(const uint8_t *begin, const uint8_t *end, list items, list unread, Limits *limits):
    """Fill in the items, and return the token of the next page and whether the search was incomplete."""
    cdef const uint8_t *at = _past_space(begin, end)
    cdef Span name, value
    cdef bint are_listed = False, is_files
    token, incomplete = None, None
    if at >= end or at[0] != c"{":
        return None
    at = _past_space(at + 1, end)
    while True:
        if at >= end or at[0] != c'"':
            return None
        name.at = at
        at = _past_string(at, end)
        if at == NULL:
            return None
        name.size = at - name.at
        value.at = at = _past_colon(at, end)
        if at == NULL:
            return None
        is_files = _is_named(name, b'"files"', 7)
        if is_files:
            if are_listed:
                return None
            are_listed = True
            at = _past_items(at, begin, end, items, unread, limits)
        else:
            at = _past_value(at, end)
        if at == NULL:
            return None
        value.size = at - value.at
        if _is_named(name, b'"nextPageToken"', 15):
            if token is not None or not _is_plain_text(value) or not _is_utf8(value.at, value.size):
                return None
            token = _inside(value)
        elif _is_named(name, b'"incompleteSearch"', 18):
            if incomplete is not None or (value.at[0] != c"t" and value.at[0] != c"f"):
                return None
            incomplete = value.at[0] == c"t"
        elif not _is_plain_text(name):
            return None  # it may be any of those
        at = _past_space(at, end)
        if at >= end:
            return None
        if at[0] == c"}":
            break
        if at[0] != c",":
            return None
        at = _past_space(at + 1, end)
    if not are_listed or _past_space(at + 1, end) != end:
        return None
    return token or None, incomplete is True


cdef inline bint _is_named(Span name, const char *quoted, Py_ssize_t size) noexcept:
    return name.size == size and memcmp(name.at, quoted, size) == 0


cdef const uint8_t *_past_items(
    const uint8_t *at, const uint8_t *begin, const uint8_t *end, list items, list unread, Limits *limits
) except? NULL:
    """Past the list of a page's files, each of which is added to `items`; `NULL` where it is none.

    For a file that is not usual `None` is added, and its number to `unread`.
    """
    global bits_seen
    cdef Span spans[MAX_FIELDS]
    cdef const uint8_t *past
    if at >= end or at[0] != c"[":
        return NULL
    at = _past_space(at + 1, end)
    if at < end and at[0] == c"]":
        return at + 1
    while True:
        bits_seen = 0
        past = _find(&FILE, at, end, spans)
        listed = None
        if past != NULL:
            listed = _listed(at, past - at, spans)
        else:
            past = _past_value(at, end)
            if past == NULL:
                return NULL
        if listed is None:
            unread.append(len(items))
        items.append(listed)
        _note(limits, at - begin, past - begin)
        at = _past_space(past, end)
        if at >= end:
            return NULL
        if at[0] == c"]":
            return at + 1
        if at[0] != c",":
            return NULL
        at = _past_space(at + 1, end)


cdef int _note(Limits *limits, Py_ssize_t begin, Py_ssize_t end) except -1:
    cdef uint32_t *larger
    if limits.count + 2 > limits.room:
        larger = <uint32_t *>realloc(limits.at, 2 * limits.room * sizeof(uint32_t))
        if larger == NULL:
            raise MemoryError
        limits.at, limits.room = larger, 2 * limits.room
    limits.at[limits.count] = <uint32_t>begin
    limits.at[limits.count + 1] = <uint32_t>end
    limits.count += 2
    return 0


cdef object _listed(const uint8_t *text, Py_ssize_t size, Span *spans):
    """The `ItemRecord` of one file, whose fields stand in `spans`; `None` where it is not a usual one."""
    cdef Writer writer
    cdef Span *mime = &spans[MIME_TYPE]
    cdef bint is_folder
    cdef uint8_t *buffer = &kept_buffer[0]
    if bits_seen & HIGH_BITS and not _is_utf8(text, size):
        return None
    if spans[ID].at == NULL or spans[NAME].at == NULL or mime.at == NULL:
        return None
    if not _is_plain_text(spans[ID]) or spans[ID].size == 2 or not _is_plain_text(mime[0]):
        return None
    if spans[DRIVE_ID].at != NULL and not _is_plain_text(spans[DRIVE_ID]):
        return None
    is_folder = mime.size == len(_FOLDER) + 2 and memcmp(mime.at + 1, <const char *>_FOLDER, mime.size - 2) == 0
    # Each byte of output is a copied one, an underscore before one, the first parent once more, or one of our names.
    # The buffer that is kept stays in the processor's cache; one of 10 KB for each file would not.
    if 3 * size + 4096 > KEPT_BYTES:
        buffer = <uint8_t *>malloc(3 * size + 4096)
        if buffer == NULL:
            raise MemoryError
    try:
        writer.at = writer.begin = buffer
        if not _write_file(&writer, spans, is_folder):
            return None
        data = PyBytes_FromStringAndSize(<const char *>buffer, writer.at - buffer)
        digest = _digest_of(data, writer.people, writer.standing)
    finally:
        if buffer != &kept_buffer[0]:
            free(buffer)
    drive_id = None if spans[DRIVE_ID].at == NULL else _inside(spans[DRIVE_ID])
    modified = None
    if spans[MODIFIED].at != NULL:
        modified = _inside(spans[MODIFIED])
    head = (None if spans[HEAD].at == NULL else _text_of(spans[HEAD])) or modified
    if modified is not None and spans[MODIFIED].size == SHORT_TIME:
        modified = sortable(modified)
    trashed = spans[TRASHED].at != NULL and spans[TRASHED].at[0] == c"t"
    version = None if spans[VERSION].at == NULL else _number(spans[VERSION])
    kind = "folder" if is_folder else "file"
    holds = holds_of(_inside(mime[0]))
    return ItemRecord(
        kind,
        _inside(spans[ID]),
        "upsert",
        Raw(data),
        None,
        version,
        drive_id,
        trashed,
        modified,
        _first_of(spans[PARENTS]),
        _text_of(spans[NAME]) if is_folder else "",
        spans[LIMITS_ACCESS].at != NULL and spans[LIMITS_ACCESS].at[0] == c"t",
        spans[HAS_OWN_PERMISSIONS].at != NULL and spans[HAS_OWN_PERMISSIONS].at[0] == c"t",
        digest,
        _rights_of(data, writer.standing) if is_folder and spans[CAPABILITIES_FIELD].at != NULL else None,
        False,
        holds.revisions and data.find(b'"can_read_revisions":false', writer.standing) < 0,
        holds.comments and data.find(b'"can_comment":false', writer.standing) < 0,
        holds.content,
        head,
    )


cdef object _rights_of(bytes data, Py_ssize_t standing):
    """The digest of the capabilities, which end the data."""
    begin = data.index(b'"capabilities":', standing) + len(b'"capabilities":')
    return digest_of(data[begin : len(data) - 1])


cdef object _digest_of(bytes data, Py_ssize_t people, Py_ssize_t standing):
    """The digest of a file's data, whose parts begin there: of strings with escapes, in the form that they have when
    they are written."""
    cdef const char *begin = PyBytes_AS_STRING(data)
    if memchr(begin, c"\\", standing) == NULL:
        return digest_of(data[:people], data[people:standing])
    told = _decode(data[:standing] + b"}")
    first = next((name for name in _PEOPLE if name in told), None)
    written = _encode(told)[:-1]
    if first is None:
        return digest_of(written)
    people = len(_encode({name: told[name] for name in told if name not in _PEOPLE})) - 1
    return digest_of(written[:people], written[people:])


cdef object _first_of(Span value):
    """The first of some texts, none of which has escapes where it is an id; `None` where there is none."""
    if value.at == NULL:
        return None
    texts = _decode((<const char *>value.at)[: value.size])
    return texts[0] if texts else None


cdef object _text_of(Span value):
    """The text of a string."""
    return _decode((<const char *>value.at)[: value.size])


cdef inline int64_t _number(Span value) noexcept:
    """Of what `_put_number` has let pass: eighteen digits in quotes at the most."""
    cdef Py_ssize_t i
    cdef int64_t number = 0
    for i in range(1, value.size - 1):
        number = 10 * number + (value.at[i] - c"0")
    return number


cdef bint _write_file(Writer *writer, Span *spans, bint is_folder) noexcept:
    cdef int number
    cdef Kind kind
    cdef bint done
    _put(writer, b"{", 1)
    for number in range(FILE.count):
        if number == FIRST_OF_PEOPLE:
            writer.people = writer.at - writer.begin
        elif number == FIRST_OF_STANDING:
            writer.standing = writer.at - writer.begin
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
        if not _is_string(value):
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
        return _put_texts(writer, value)
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
        at = _past_value(at, value.at + value.size)
        if at == NULL:
            return False
        first.size = at - first.at
        _put(writer, b',"parent_id":', 13)
        _put(writer, <const char *>first.at, first.size)
    _put_name(writer, &FILE.fields[PARENTS])
    return _put_texts(writer, value)


cdef bint _put_texts(Writer *writer, Span value) noexcept:
    """A list of strings, without the space between them."""
    cdef const uint8_t *end = value.at + value.size
    cdef const uint8_t *at = value.at
    cdef const uint8_t *past
    if not _are_texts(value):
        return False
    while at < end:
        at = _past_space(at, end)
        if at >= end:
            break
        past = _past_string(at, end) if at[0] == c'"' else at + 1
        if past == NULL:
            return False
        _put(writer, <const char *>at, past - at)
        at = past
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
    cdef const uint8_t *end = value.at + value.size
    cdef int number
    if _find(table, value.at, end, spans) != end:
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
        if at == NULL:
            return False
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
        if past == NULL or at[0] != c'"' or past >= end or count == MAX_FIELDS or _is_among(at, past - at, names, count):
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
        if past == NULL:
            return False
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


cdef const uint8_t *_find(Table *table, const uint8_t *at, const uint8_t *end, Span *spans) noexcept:
    """Past the object that begins here, with where each field's value stands. `NULL` for what is no usual object, or has
    a name twice."""
    cdef const uint8_t *name
    cdef Field *likely
    cdef int number, before = MAX_FIELDS
    for number in range(table.count):
        spans[number].at = NULL
    if at >= end or at[0] != c"{":
        return NULL
    at = _past_space(at + 1, end)
    if at < end and at[0] == c"}":
        return at + 1
    while True:
        if at >= end or at[0] != c'"':
            return NULL
        name = at + 1
        number = table.after[before]
        likely = &table.fields[number]
        if end - name > likely.google_size and memcmp(name, likely.quoted, likely.google_size + 1) == 0:
            at = name + likely.google_size + 1
        else:
            at = _past_string(at, end)
            if at == NULL:
                return NULL
            number = _number_of(table, name, at - 1 - name)
            if number >= 0:
                table.after[before] = number
        at = _past_colon(at, end)
        if at == NULL or number == -2 or (number >= 0 and spans[number].at != NULL):
            return NULL
        if number < 0:
            at = _past_value(at, end)
        else:
            before = number
            spans[number].at = at
            spans[number].same = NULL
            if table == &FILE and PERSON <= table.fields[number].kind <= LINK_SHARE:
                spans[number].same = _recall(number, at, end)
            at = _past_value(at, end) if spans[number].same == NULL else at + spans[number].same.size
        if at == NULL:
            return NULL
        if number >= 0:
            spans[number].size = at - spans[number].at
        at = _past_space(at, end)
        if at >= end:
            return NULL
        if at[0] == c"}":
            return at + 1
        if at[0] != c",":
            return NULL
        at = _past_space(at + 1, end)


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
