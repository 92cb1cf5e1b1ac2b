"""How JSON is walked that is known to be well-formed, and what of it is usual. Included in `fast_file`."""

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
    if value.at[0] != c'"' or (value.size != 26 and value.size != SHORT_TIME):
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
    if value.size == SHORT_TIME:
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
