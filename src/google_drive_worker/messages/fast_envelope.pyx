# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""The envelopes of a step's records, compiled: `record.plain_envelopes` says what they are, and this never differs.

One allocation a value and one a key, each byte of data copied once. What is not usual (an id with characters that JSON
escapes, data that is not encoded yet) is encoded by msgspec, as in the plain way.
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.string cimport memcpy

from msgspec import Raw

from google_drive_worker.messages.references import with_references

cdef extern from "Python.h":
    const char *PyUnicode_AsUTF8AndSize(object text, Py_ssize_t *size) except NULL


def fast_envelopes(records, list message_ids, frame_of, encode):
    """Return the records' values and their idempotency keys. See `record.plain_envelopes`."""
    cdef list values = [], keys = []
    cdef bytes key_prefix = b"", before_id = b"", before_resource_id = b"", before_key = b"", before_data = b""
    cdef bytes quoted, encoded
    cdef Py_buffer view
    cdef Text data, resource_id, inner
    cdef object kind = None, operation = None, record
    cdef Py_ssize_t number = 0
    if len(message_ids) != len(records):
        raise ValueError("each record needs a message id of its own")
    for record in records:
        if record.resource_type is not kind or record.operation is not operation:
            kind, operation = record.resource_type, record.operation
            key_prefix, (before_id, before_resource_id, before_key, before_data) = frame_of(kind, operation)
        text = record.resource_id
        resource_id.at = PyUnicode_AsUTF8AndSize(text, &resource_id.size)
        inner = resource_id
        if _is_escaped(resource_id):
            quoted = encode(text)
            inner.at, inner.size = PyBytes_AS_STRING(quoted) + 1, PyBytes_GET_SIZE(quoted) - 2
        raw = record.data
        if type(raw) is not Raw:
            encoded = encode(raw)
            raw = encoded
        PyObject_GetBuffer(raw, &view, PyBUF_SIMPLE)
        try:
            data.at, data.size = <const char *>view.buf, view.len
            value = _value(
                before_id, <bytes?>message_ids[number], before_resource_id, inner, before_key, before_data, data
            )
        finally:
            PyBuffer_Release(&view)
        references = record.references
        if references is not None:
            value = with_references(value, references, encode)
        values.append(value)
        keys.append(_key(key_prefix, resource_id))
        number += 1
    return values, keys


cdef struct Text:
    const char *at
    Py_ssize_t size


cdef inline bint _is_escaped(Text text) noexcept:
    cdef Py_ssize_t i
    cdef unsigned char each
    for i in range(text.size):
        each = <unsigned char>text.at[i]
        if each < 0x20 or each == c'"' or each == c"\\":
            return True
    return False


cdef bytes _value(
    bytes before_id, bytes message_id, bytes before_resource_id, Text inner, bytes before_key, bytes before_data, Text data
):
    cdef Py_ssize_t fixed = (
        PyBytes_GET_SIZE(before_id) + PyBytes_GET_SIZE(message_id) + PyBytes_GET_SIZE(before_resource_id)
        + PyBytes_GET_SIZE(before_key) + PyBytes_GET_SIZE(before_data)
    )
    # Two quotes around the id, one that ends the key, and the brace that ends it all.
    cdef bytes value = PyBytes_FromStringAndSize(NULL, fixed + 2 * inner.size + data.size + 4)
    cdef char *at = PyBytes_AS_STRING(value)
    at = _put_bytes(at, before_id)
    at = _put_bytes(at, message_id)
    at = _put_bytes(at, before_resource_id)
    at = _put(at, b'"', 1)
    at = _put(at, inner.at, inner.size)
    at = _put(at, b'"', 1)
    at = _put_bytes(at, before_key)
    at = _put(at, inner.at, inner.size)
    at = _put(at, b'"', 1)
    at = _put_bytes(at, before_data)
    at = _put(at, data.at, data.size)
    _put(at, b"}", 1)
    return value


cdef bytes _key(bytes prefix, Text resource_id):
    cdef bytes key = PyBytes_FromStringAndSize(NULL, PyBytes_GET_SIZE(prefix) + resource_id.size)
    _put(_put_bytes(PyBytes_AS_STRING(key), prefix), resource_id.at, resource_id.size)
    return key


cdef inline char *_put_bytes(char *at, bytes text) noexcept:
    return _put(at, PyBytes_AS_STRING(text), PyBytes_GET_SIZE(text))


cdef inline char *_put(char *at, const char *text, Py_ssize_t size) noexcept:
    memcpy(at, text, size)
    return at + size
