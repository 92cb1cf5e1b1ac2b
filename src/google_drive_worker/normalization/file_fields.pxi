"""The fields of a file, Google's names and ours: what `fast_page` knows. Included there."""

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
    const char *quoted  # the same, with the quote that ends it
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
    # The field that came after each one the last time, and (at MAX_FIELDS) the one that came first: mostly it does again.
    int after[MAX_FIELDS + 1]

cdef struct Writer:
    uint8_t *at
    uint8_t *begin
    # Where the parts of a file's data begin that are another struct's in `shapes`.
    Py_ssize_t people
    Py_ssize_t standing

cdef Remembered remembered[MAX_FIELDS][REMEMBERED]
cdef int remembered_next[MAX_FIELDS]

_KEPT = []  # the names that the tables point into


cdef void _fill(Table *table, fields):
    cdef int number
    cdef bytes google, quoted, ours
    table.count = 0
    for number in range(MAX_NAME):
        table.first[number] = -1
    for number in range(MAX_FIELDS + 1):
        table.after[number] = 0
    for google_name, our_name, kind in fields:
        google, quoted, ours = google_name.encode(), f'{google_name}"'.encode(), f'"{our_name}":'.encode()
        _KEPT.append((google, quoted, ours))
        number = table.count
        if number == MAX_FIELDS or len(google) >= MAX_NAME:
            raise ValueError(f"there is no room for the field {google_name}")
        table.fields[number].google = google
        table.fields[number].quoted = quoted
        table.fields[number].google_size = len(google)
        table.fields[number].ours = ours
        table.fields[number].ours_size = len(ours)
        table.fields[number].kind = kind
        table.next[number] = table.first[len(google)]
        table.first[len(google)] = number
        table.count += 1


# In the order of `shapes.FileData`, `PeopleData` and `StandingData`; `type` comes with `id`, and `parent_id` with
# `parents`.
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
    ("starred", "starred", BOOLEAN),
    ("ownedByMe", "owned_by_me", BOOLEAN),
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
    ("resourceKey", "resource_key", TEXT),
    ("contentRestrictions", "content_restrictions", UNUSUAL),
    ("linkShareMetadata", "link_share_metadata", LINK_SHARE),
    ("trashingUser", "trashed_by", PERSON),
    ("owners", "owners", PEOPLE),
    ("lastModifyingUser", "last_modified_by", PERSON),
    ("sharingUser", "shared_by", PERSON),
    ("labelInfo", "labels", UNUSUAL),
    ("version", "version", NUMBER),
    ("shared", "shared", BOOLEAN),
    ("hasAugmentedPermissions", "has_augmented_permissions", BOOLEAN),
    ("permissionIds", "permission_ids", TEXTS),
    ("capabilities", "capabilities", CAPABILITIES),
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
    HEAD = 11
    MD5 = 12
    LIMITS_ACCESS = 37
    FIRST_OF_PEOPLE = 41
    FIRST_OF_STANDING = 46
    VERSION = 46
    CAPABILITIES_FIELD = 50
    HAS_OWN_PERMISSIONS = 48

_PEOPLE = ("trashed_by", "owners", "last_modified_by", "shared_by", "labels")
_EXPORTS = {
    mime_type.encode(): b",".join(b'"' + each.encode() + b'"' for each in formats)
    for mime_type, formats in EXPORT_FORMATS.items()
}
cdef bytes _FOLDER = FOLDER_MIME_TYPE.encode()
cdef bytes _WORKSPACE = b"application/vnd.google-apps."
