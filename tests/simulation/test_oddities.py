"""The odd answers of the simulation: what comes of a right answer, and what is never done to one."""

import random
from collections import Counter

import msgspec
import pytest

from simulation.draws import Size
from simulation.odd_pages import PAGE_ODDITIES, Asked
from simulation.oddities import Answer, Oddities, asked_of
from simulation.run import Run
from simulation.storm import ODD, play

ALL = 1.0
FILES = "/drive/v3/files?corpora=user&fields=nextPageToken%2CincompleteSearch%2Cfiles%28id%29&pageSize=7"
RIGHT: Answer = (200, {}, b'{"nextPageToken":"next","files":[{"id":"a","name":"A"},{"id":"b","name":"B"}]}')


def oddities(share: float = ALL, seed: int = 1) -> Oddities:
    """Oddities of their own die."""
    return Oddities(random.Random(seed), Counter(), share)  # noqa: S311


def named(name: str, asked: Asked, page: dict[str, object], tokens: tuple[str, ...] = ()) -> dict[str, object]:
    """What the oddity of that name makes of a page that it fits."""
    [oddity] = [each for each in PAGE_ODDITIES if each.name == name]
    assert oddity.fits(asked, page)
    body = oddity.alter(asked, dict(page), random.Random(1), list(tokens), set())  # noqa: S311
    return msgspec.json.decode(body, type=dict[str, object])


@pytest.mark.parametrize(
    ("target", "call", "ids"),
    [
        (FILES, "files.list", ()),
        ("/drive/v3/files?q=%27f%27+in+parents+and+trashed+%3D+false&driveId=d", "files.list", ("f", "d")),
        ("/drive/v3/files/a?alt=media", "files.media", ("a",)),
        ("/drive/v3/files/a/revisions?pageToken=t", "revisions.list", ("a",)),
        ("/drive/v3/changes/startPageToken?driveId=d", "changes.getStartPageToken", ("d",)),
        ("/drive/v3/drives/d", "drives.get", ("d",)),
        ("/feeds/download/documents/export/Export?id=a&exportFormat=txt", "files.link", ("a",)),
    ],
)
def test_a_call_is_told_by_its_target(target: str, call: str, ids: tuple[str, ...]) -> None:
    """Its name, and the ids that it is about, which bad files and wrong refusals go by."""
    assert asked_of(target)[:2] == (call, ids)


def test_without_a_share_every_answer_is_right() -> None:
    """In a calm nothing is altered, whatever was before."""
    odd = oddities()
    odd.end()
    assert odd.of_batch() is None
    assert odd.of_call(FILES, RIGHT) is RIGHT


def test_of_an_id_a_wrong_not_found_comes_once() -> None:
    """Twice would be what Google says of an item that is gone."""
    for seed in range(30):
        odd = oddities(seed=seed)
        answers = [odd.of_call("/drive/v3/files/a?fields=id", (200, {}, b'{"id":"a"}')) for _ in range(50)]
        assert sum(status == 404 and b"notFound" in body for status, _, body in answers) <= 1


def test_of_an_id_that_was_not_found_no_wrong_not_found_comes() -> None:
    """It may be there again by now, and two refusals would be one true and one wrong."""
    odd = oddities()
    odd.of_call("/drive/v3/files/a", (404, {}, b""))
    answers = [odd.of_call("/drive/v3/files/a", (200, {}, b'{"id":"a"}')) for _ in range(200)]
    assert not any(b"notFound" in body for _, _, body in answers)


def test_tokens_lead_back_or_nowhere_but_not_past_what_is_left() -> None:
    """A stuck token is the one asked with, a cycle goes back, and an empty one stands only where there was none."""
    asked = asked_of(FILES + "&pageToken=second")
    page: dict[str, object] = {"files": [], "nextPageToken": "third"}
    assert named("token stuck", asked, page)["nextPageToken"] == "second"
    assert named("token cycle", asked, page, ("first", "second"))["nextPageToken"] in {"first", "second"}
    assert named("token empty", asked, {"files": []})["nextPageToken"] == ""
    assert not any(each.name == "token empty" and each.fits(asked, page) for each in PAGE_ODDITIES)


def test_a_page_that_lacks_items_says_so() -> None:
    """Items are left out only with `incompleteSearch`, and only where the call asks for that."""
    asked = asked_of(FILES)
    page: dict[str, object] = {"files": [{"id": str(number)} for number in range(20)]}
    odd = named("incomplete search", asked, page)
    assert odd["incompleteSearch"] is True
    assert len(msgspec.convert(odd["files"], list[object])) < 20
    [incomplete] = [each for each in PAGE_ODDITIES if each.name == "incomplete search"]
    assert not incomplete.fits(asked_of("/drive/v3/files?fields=files%28id%29"), page)


def test_a_bad_file_is_refused_alike_until_it_recovers() -> None:
    """Some of its calls fail, always in one way, and what was refused is noted."""
    odd = oddities(share=0.0)
    while not odd.bad:
        odd.recover()
        odd.spoil(["a"])
    calls = {
        "permissions.list": "/drive/v3/files/a/permissions",
        "revisions.list": "/drive/v3/files/a/revisions",
        "comments.list": "/drive/v3/files/a/comments",
        "files.get": "/drive/v3/files/a",
        "content": "/drive/v3/files/a?alt=media",
    }
    for call, target in calls.items():
        answers = [odd.of_call(target, RIGHT) for _ in range(3)]
        assert answers == [odd.bad["a"].get(call, RIGHT)] * 3
    assert odd.of_call("/drive/v3/files/b/revisions", RIGHT) is RIGHT
    assert {file_id for file_id, _ in odd.met} == {"a"}
    odd.recover()
    assert all(odd.of_call(target, RIGHT) is RIGHT for target in calls.values())


def test_a_crooked_file_has_the_same_odd_element_each_time() -> None:
    """In one of its lists, while its own resource has values that make no sense beside those that do."""
    odd = oddities(share=0.0)
    odd.crooked["a"] = 4
    revisions: Answer = (200, {}, b'{"revisions":[{"id":"1","size":"5"},{"id":"2","size":"6"}]}')
    answers = [odd.of_call("/drive/v3/files/a/revisions", revisions)[2] for _ in range(3)]
    assert len(set(answers)) == 1
    assert answers[0] != revisions[2]
    listed = odd.of_call(FILES, RIGHT)[2]
    assert b'"name":"A"' in listed
    assert b"\\ud83d" in listed
    odd.recover()
    assert odd.of_call(FILES, RIGHT) is RIGHT


def test_a_run_without_oddities_is_the_same_run() -> None:
    """What is off draws nothing from the die, so that older seeds repeat what they found."""
    run = play(3, 400, Size())
    assert not [name for name in run.done if name.startswith("odd")]


def test_odd_answers_reach_the_engine() -> None:
    """The client tries each call once, so that a refusal is an answer of its own."""
    run = Run(1, ODD)
    try:
        run.google.oddities.share = ALL
        run.trigger("full")
        for _ in range(200):
            run.intake()
            run.go_on()
            run.serve()
            run.arrive()
            run.wait(1.0)
        assert sum(count for name, count in run.done.items() if name.startswith("odd")) > 0
    finally:
        run.end()
