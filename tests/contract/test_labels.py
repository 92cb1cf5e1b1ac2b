"""files.listLabels, files.modifyLabels and `labelInfo` by Google's own client."""

from typing import Any

import pytest
from googleapiclient.errors import HttpError

from drive_simulator.auth.oauth import DRIVE_METADATA_READONLY
from drive_simulator.model.label_kinds import LabelKind
from drive_simulator.model.labels import add_label
from support.google_client import Site, reasons


@pytest.fixture
def kind(site: Site) -> LabelKind:
    """A label with a text, a number and a choice."""
    fields: dict[str, Any] = {"note": "text", "count": "integer", "status": "selection"}
    return site.simulator.apply(lambda world: add_label(world, fields))


def put(kind: LabelKind, **values: object) -> dict[str, object]:
    """A body that puts the label on with one field."""
    return {"labelModifications": [{"labelId": kind.id, "fieldModifications": [{"fieldId": "note", **values}]}]}


def test_life_of_a_label(site: Site, kind: LabelKind) -> None:
    """A label is put on, listed, shown in the file where it is asked for, and taken off; the version goes up."""
    drive = site.drive(site.alice)
    file_id = drive.files().create(body={"name": "labelled"}).execute()["id"]
    before = drive.files().get(fileId=file_id, fields="version,modifiedTime").execute()
    done = drive.files().modifyLabels(fileId=file_id, body=put(kind, setTextValues=["x"])).execute()
    assert done["modifiedLabels"][0]["fields"]["note"]["text"] == ["x"]
    [listed] = drive.files().listLabels(fileId=file_id).execute()["labels"]
    assert (listed["id"], listed["fields"]["note"]["valueType"]) == (kind.id, "text")
    mask = "version,modifiedTime,labelInfo"
    after = drive.files().get(fileId=file_id, includeLabels=kind.id, fields=mask).execute()
    assert after["labelInfo"]["labels"][0]["id"] == kind.id
    assert int(after["version"]) > int(before["version"])
    assert after["modifiedTime"] == before["modifiedTime"]
    [shown] = (
        drive.files().list(q="name = 'labelled'", includeLabels=kind.id, fields="files(labelInfo)").execute()["files"]
    )
    assert shown["labelInfo"]["labels"][0]["fields"]["note"]["text"] == ["x"]
    assert drive.files().get(fileId=file_id, fields="labelInfo").execute() == {}
    body = {"labelModifications": [{"labelId": kind.id, "removeLabel": True}]}
    assert drive.files().modifyLabels(fileId=file_id, body=body).execute()["modifiedLabels"] == []
    assert drive.files().listLabels(fileId=file_id).execute()["labels"] == []


def test_labels_of_other_kinds_and_by_readers_are_refused(site: Site, kind: LabelKind) -> None:
    """Unknown labels are 404, values of another type 400, and a reader may only look; so may a token for metadata."""
    drive = site.drive(site.alice)
    file_id = drive.files().create(body={"name": "f"}).execute()["id"]
    body = {"type": "user", "role": "reader", "emailAddress": site.bob}
    drive.permissions().create(fileId=file_id, body=body).execute()
    lookers = site.build(site.credentials(site.alice, (DRIVE_METADATA_READONLY,)))
    assert lookers.files().listLabels(fileId=file_id).execute()["labels"] == []
    assert site.drive(site.bob).files().listLabels(fileId=file_id).execute()["labels"] == []
    unknown = LabelKind("nope", "1")
    for client, request, expected in (
        (drive, put(unknown), (404, ["notFound"])),
        (drive, put(kind, setIntegerValues=["1"]), (400, ["badRequest"])),
        (site.drive(site.bob), put(kind), (403, ["insufficientFilePermissions"])),
        (lookers, put(kind), (403, ["insufficientPermissions"])),
    ):
        with pytest.raises(HttpError) as caught:
            client.files().modifyLabels(fileId=file_id, body=request).execute()
        assert (caught.value.status_code, reasons(caught.value)) == expected
    lookers.close()
