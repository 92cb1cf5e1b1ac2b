"""The `fields` masks: exactly what the structs of `domain/drive.py` hold, no more. A unit test keeps the two together.

`permissions` is asked for in the user's corpus alone, and only where permissions are mirrored: a page with it is cut to
100 files, and shared drives' items have none there. Source: drive.v3.json; the guide "Return
specific fields".
"""

_USER = "displayName,emailAddress,permissionId,photoLink,me"

FILE_CAPABILITIES = (
    "canEdit,canComment,canShare,canCopy,canDownload,canDelete,canTrash,canUntrash,canRename,canAddChildren,canListChildren,"
    "canReadRevisions,canModifyContent,canMoveItemWithinDrive,canMoveItemOutOfDrive"
)
"""Of Drive's fifty, those that tell what somebody who sees the mirror could do with the item."""

DRIVE_CAPABILITIES = (
    "canAddChildren,canComment,canCopy,canDeleteDrive,canDownload,canEdit,canListChildren,canManageMembers,canReadRevisions,"
    "canRename,canRenameDrive,canShare,canTrashChildren"
)

DRIVE_RESTRICTIONS = (
    "adminManagedRestrictions,copyRequiresWriterPermission,domainUsersOnly,driveMembersOnly,"
    "sharingFoldersRequiresOrganizerPermission"
)
"""All but `downloadRestriction`, the one that is no yes or no."""

FILE_FIELDS = (
    "id,name,mimeType,description,driveId,parents,size,quotaBytesUsed,version,headRevisionId,"
    "md5Checksum,sha1Checksum,sha256Checksum,originalFilename,fileExtension,fullFileExtension,"
    "createdTime,modifiedTime,modifiedByMeTime,viewedByMeTime,sharedWithMeTime,"
    f"trashed,explicitlyTrashed,trashedTime,trashingUser({_USER}),starred,shared,ownedByMe,"
    f"owners({_USER}),lastModifyingUser({_USER}),sharingUser({_USER}),"
    "webViewLink,webContentLink,iconLink,hasThumbnail,"
    "shortcutDetails(targetId,targetMimeType,targetResourceKey),spaces,properties,appProperties,folderColorRgb,"
    "writersCanShare,copyRequiresWriterPermission,inheritedPermissionsDisabled,hasAugmentedPermissions,permissionIds,"
    f"resourceKey,capabilities({FILE_CAPABILITIES}),contentRestrictions(readOnly,reason,restrictionTime,type),"
    "linkShareMetadata(securityUpdateEligible,securityUpdateEnabled)"
)

_LABELS = "labelInfo(labels(id,revisionId,fields))"
"""Asked for only with `includeLabels`, whose labels it then holds."""

LABELLED_FILE_FIELDS = f"{FILE_FIELDS},{_LABELS}"

PERMISSION_FIELDS = (
    "id,type,role,emailAddress,domain,displayName,photoLink,expirationTime,allowFileDiscovery,view,deleted,pendingOwner,"
    "permissionDetails(permissionType,role,inherited,inheritedFrom)"
)

SHARING_FIELDS = (
    "id,name,mimeType,driveId,parents,trashed,permissionIds,hasAugmentedPermissions,inheritedPermissionsDisabled"
)
"""What of an item of a shared drive tells where its permissions come from."""

SHARED_DRIVE_FIELDS = (
    "id,name,createdTime,hidden,orgUnitId,themeId,colorRgb,backgroundImageLink,"
    f"restrictions({DRIVE_RESTRICTIONS}),capabilities({DRIVE_CAPABILITIES})"
)

CHANGE_FIELDS = f"changeType,time,removed,fileId,file({FILE_FIELDS}),driveId,drive({SHARED_DRIVE_FIELDS})"

FILES_PAGE_FIELDS = f"nextPageToken,incompleteSearch,files({FILE_FIELDS})"
SHARED_FILES_PAGE_FIELDS = f"nextPageToken,incompleteSearch,files({FILE_FIELDS},permissions({PERMISSION_FIELDS}))"
PERMISSIONS_PAGE_FIELDS = f"nextPageToken,permissions({PERMISSION_FIELDS})"
REVISION_FIELDS = (
    "id,mimeType,modifiedTime,keepForever,published,publishAuto,publishedOutsideDomain,publishedLink,"
    f"lastModifyingUser({_USER}),originalFilename,md5Checksum,size,exportLinks"
)
_POST = (
    f"id,author({_USER}),content,htmlContent,createdTime,modifiedTime,deleted,mentionedEmailAddresses,"
    "assigneeEmailAddress"
)
COMMENT_FIELDS = f"{_POST},anchor,quotedFileContent(mimeType,value),resolved,replies({_POST},action)"
REVISIONS_PAGE_FIELDS = f"nextPageToken,revisions({REVISION_FIELDS})"
COMMENTS_PAGE_FIELDS = f"nextPageToken,comments({COMMENT_FIELDS})"
TIMES_FIELDS = "incompleteSearch,files(modifiedTime)"
CHANGES_PAGE_FIELDS = f"nextPageToken,newStartPageToken,changes({CHANGE_FIELDS})"
SHARED_CHANGES_PAGE_FIELDS = CHANGES_PAGE_FIELDS.replace(
    f"file({FILE_FIELDS})", f"file({FILE_FIELDS},permissions({PERMISSION_FIELDS}))"
)
DRIVES_PAGE_FIELDS = f"nextPageToken,drives({SHARED_DRIVE_FIELDS})"
START_PAGE_TOKEN_FIELDS = "startPageToken"  # noqa: S105  (a field's name, no secret)


def labelled(mask: str) -> str:
    """The mask with the labels of its files as well, those that `includeLabels` names."""
    return mask.replace(FILE_FIELDS, LABELLED_FILE_FIELDS)
