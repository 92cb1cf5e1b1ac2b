"""How JSON (RFC 8259) is walked and held to its grammar, and what of it is usual. Included in `fast_page`.

What passes here also passes msgspec's decoder. The reverse does not hold: what is deeper than `MAX_DEPTH`, or escapes
half of a surrogate pair, is left to it.
"""

cdef enum:
    MAX_DEPTH = 32

cdef extern from *:
    int __builtin_ctzll(unsigned long long word) nogil

cdef uint64_t ONES = 0x0101010101010101
cdef uint64_t HIGH_BITS = 0x8080808080808080

# All bits of the strings walked since it was set to 0: the high bit of a byte says that not all of them was ASCII.
cdef uint64_t bits_seen = 0


cdef inline const uint8_t *_past_space(const uint8_t *at, const uint8_t *end) noexcept:
    while at < end and (at[0] == c" " or at[0] == c"\n" or at[0] == c"\r" or at[0] == c"\t"):
        at += 1
    return at


cdef inline uint64_t _special(uint64_t word) noexcept:
    """The high bit of each byte that may end a stretch of plain text: a quote, a backslash, a control character.

    Exact up to the first one; beyond it a borrow may mark others (S. E. Anderson, "Bit Twiddling Hacks").
    """
    cdef uint64_t quotes = word ^ (ONES * 0x22)
    cdef uint64_t escapes = word ^ (ONES * 0x5C)
    return (
        ((quotes - ONES) & ~quotes) | ((escapes - ONES) & ~escapes) | ((word - ONES * 0x20) & ~word)
    ) & HIGH_BITS


cdef const uint8_t *_past_string(const uint8_t *at, const uint8_t *end) noexcept:
    """Past the string that begins here; `NULL` where it is none."""
    global bits_seen
    cdef uint64_t word, special, seen = 0
    at += 1
    while True:
        while end - at >= 8:
            memcpy(&word, at, 8)
            seen |= word
            special = _special(word)
            if special != 0:
                at += __builtin_ctzll(special) >> 3
                break
            at += 8
        if at >= end:
            return NULL
        if at[0] == c'"':
            bits_seen |= seen
            return at + 1
        if at[0] < 0x20:
            return NULL
        if at[0] == c"\\":
            at = _past_escape(at, end)
            if at == NULL:
                return NULL
        else:
            seen |= at[0]
            at += 1


cdef const uint8_t *_past_escape(const uint8_t *at, const uint8_t *end) noexcept:
    """Past the escape that begins here, or the two of a surrogate pair; `NULL` where it is none."""
    cdef int unit
    if end - at < 2:
        return NULL
    if at[1] != c"u":
        return at + 2 if memchr(b'"\\/bfnrt', at[1], 8) != NULL else NULL
    unit = _code_unit(at, end)
    if unit < 0 or 0xDC00 <= unit <= 0xDFFF:
        return NULL
    if 0xD800 <= unit <= 0xDBFF:
        return at + 12 if 0xDC00 <= _code_unit(at + 6, end) <= 0xDFFF else NULL
    return at + 6


cdef inline int _code_unit(const uint8_t *at, const uint8_t *end) noexcept:
    """The code unit that is escaped here as `\\u` and four digits; -1 where none is."""
    cdef int i, digit, unit = 0
    if end - at < 6 or at[0] != c"\\" or at[1] != c"u":
        return -1
    for i in range(2, 6):
        if c"0" <= at[i] <= c"9":
            digit = at[i] - c"0"
        elif c"a" <= (at[i] | 32) <= c"f":
            digit = (at[i] | 32) - c"a" + 10
        else:
            return -1
        unit = 16 * unit + digit
    return unit


cdef const uint8_t *_past_value(const uint8_t *at, const uint8_t *end, int depth = 0) noexcept:
    """Past the value that begins here; `NULL` where there is none."""
    if at >= end:
        return NULL
    if at[0] == c'"':
        return _past_string(at, end)
    if at[0] == c"{" or at[0] == c"[":
        return _past_nested(at, end, depth)
    if at[0] == c"t":
        return at + 4 if end - at >= 4 and memcmp(at, b"true", 4) == 0 else NULL
    if at[0] == c"f":
        return at + 5 if end - at >= 5 and memcmp(at, b"false", 5) == 0 else NULL
    if at[0] == c"n":
        return at + 4 if end - at >= 4 and memcmp(at, b"null", 4) == 0 else NULL
    return _past_number(at, end)


cdef const uint8_t *_past_nested(const uint8_t *at, const uint8_t *end, int depth) noexcept:
    cdef bint is_object = at[0] == c"{"
    cdef uint8_t closing = c"}" if is_object else c"]"
    if depth == MAX_DEPTH:
        return NULL
    at = _past_space(at + 1, end)
    if at < end and at[0] == closing:
        return at + 1
    while True:
        if is_object:
            at = _past_name(at, end)
            if at == NULL:
                return NULL
        at = _past_value(at, end, depth + 1)
        if at == NULL:
            return NULL
        at = _past_space(at, end)
        if at >= end:
            return NULL
        if at[0] == closing:
            return at + 1
        if at[0] != c",":
            return NULL
        at = _past_space(at + 1, end)


cdef inline const uint8_t *_past_name(const uint8_t *at, const uint8_t *end) noexcept:
    """Past a member's name, its colon and the space after it; `NULL` where there is none."""
    if at >= end or at[0] != c'"':
        return NULL
    at = _past_string(at, end)
    return NULL if at == NULL else _past_colon(at, end)


cdef inline const uint8_t *_past_colon(const uint8_t *at, const uint8_t *end) noexcept:
    at = _past_space(at, end)
    if at >= end or at[0] != c":":
        return NULL
    return _past_space(at + 1, end)


cdef const uint8_t *_past_number(const uint8_t *at, const uint8_t *end) noexcept:
    if at < end and at[0] == c"-":
        at += 1
    if at < end and at[0] == c"0":
        at += 1
    else:
        at = _past_digits(at, end)
    if at != NULL and at < end and at[0] == c".":
        at = _past_digits(at + 1, end)
    if at != NULL and at < end and (at[0] | 32) == c"e":
        at += 1
        if at < end and (at[0] == c"+" or at[0] == c"-"):
            at += 1
        at = _past_digits(at, end)
    return at


cdef inline const uint8_t *_past_digits(const uint8_t *at, const uint8_t *end) noexcept:
    """Past one digit or more; `NULL` where there is none."""
    cdef const uint8_t *begin = at
    while at < end and c"0" <= at[0] <= c"9":
        at += 1
    return NULL if at == begin else at


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
        if at == NULL:
            return False
        item.size = at - item.at
        if not _is_string(item):
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
