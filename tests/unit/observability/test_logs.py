"""Logs: one JSON object a line, libraries included, without secrets."""

import io
import json
import logging
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from google_drive_worker.domain.connection import Secret
from google_drive_worker.observability.logs import MAX_VALUE_CHARS, configure_logging


@pytest.fixture
def stream() -> Iterator[io.BytesIO]:
    """A stream to log into; afterwards logging is as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    quiet = {name: logging.getLogger(name).level for name in ("aiohttp.access", "asyncio", "urllib3")}
    yield io.BytesIO()
    root.handlers[:], root.level = handlers, level
    for name, before in quiet.items():
        logging.getLogger(name).setLevel(before)
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


def lines(stream: io.BytesIO) -> list[dict[str, Any]]:
    """What was logged, line by line."""
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_an_event_is_one_json_line_in_a_fixed_order(stream: io.BytesIO) -> None:
    """Time, level and name come first, then the fields with their own types."""
    configure_logging("INFO", stream=stream)
    structlog.get_logger().info("page_committed", records=100, seconds=0.5, drive_id=None)
    (line,) = lines(stream)
    assert list(line) == ["timestamp", "level", "event", "records", "seconds", "drive_id"]
    assert line["timestamp"].endswith("Z")
    assert (line["level"], line["event"], line["records"]) == ("info", "page_committed", 100)


def test_the_level_holds_for_both_kinds_of_logger(stream: io.BytesIO) -> None:
    """What is below the level is not written, whoever says it."""
    configure_logging("WARNING", stream=stream)
    structlog.get_logger().info("quiet")
    logging.getLogger("lib").info("quiet")
    structlog.get_logger().warning("loud")
    logging.getLogger("lib").warning("loud")
    assert [line["event"] for line in lines(stream)] == ["loud", "library_message"]


def test_the_last_configuration_holds_for_loggers_made_before(stream: io.BytesIO) -> None:
    """Configuring again redirects what was configured, and nothing is written twice."""
    log = structlog.get_logger()
    first = io.BytesIO()
    configure_logging("INFO", stream=first)
    log.info("to_the_first")
    configure_logging("INFO", stream=stream)
    log.info("to_the_second")
    logging.getLogger("lib").warning("also")
    assert [line["event"] for line in lines(first)] == ["to_the_first"]
    assert [line["event"] for line in lines(stream)] == ["to_the_second", "library_message"]


def test_a_library_s_message_is_json_as_well(stream: io.BytesIO) -> None:
    """The standard library's records, at levels of their own too, carry their logger and text."""
    configure_logging("DEBUG", stream=stream)
    logging.getLogger("aiohttp.server").error("broken %s", "pipe")
    logging.getLogger("lib").log(25, "between")
    error, between = lines(stream)
    assert (error["level"], error["logger"], error["message"]) == ("error", "aiohttp.server", "broken pipe")
    assert (between["level"], between["message"]) == ("info", "between")


def test_what_libraries_say_for_debugging_is_never_written(stream: io.BytesIO) -> None:
    """Whole requests and answers stand in it, with secrets under names that nobody here knows."""
    configure_logging("DEBUG", stream=stream)
    logging.getLogger("botocore.parsers").debug("Response body: <SecretAccessKey>hunter2</SecretAccessKey>")
    structlog.get_logger().debug("our_own")
    assert [line["event"] for line in lines(stream)] == ["our_own"]


def test_warnings_become_lines(stream: io.BytesIO) -> None:
    """Python's own warnings don't break the stream of JSON."""
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        configure_logging("INFO", stream=stream)
        warnings.warn("old", UserWarning, stacklevel=1)
        logging.captureWarnings(capture=False)
    assert lines(stream)[0]["logger"] == "py.warnings"


def test_secrets_are_hidden(stream: io.BytesIO) -> None:
    """Telling keys at any depth, `Secret` values, and secrets in exceptions and libraries' messages are not written."""
    configure_logging("INFO", stream=stream)
    log = structlog.get_logger()
    log.info("a", access_token="hunter2", headers={"Authorization": "hunter2", "x": {"password": "hunter2"}})
    log.info("b", value=Secret("hunter2"), values=[Secret("hunter2")])
    logging.getLogger("lib").warning('sent {"refresh_token": "hunter2"}')
    try:
        raise ValueError("client_secret=hunter2")
    except ValueError:
        log.exception("c")
    written = stream.getvalue().decode()
    assert "hunter2" not in written
    assert "ValueError" in written
    assert lines(stream)[0]["headers"] == {"Authorization": "***", "x": {"password": "***"}}


def test_any_value_can_be_logged(stream: io.BytesIO) -> None:
    """Lone surrogates, huge integers, deep nesting and objects of any kind are written somehow, and briefly."""
    configure_logging("INFO", stream=stream)
    deep: dict[str, Any] = {}
    for _ in range(100):
        deep = {"deeper": deep}
    structlog.get_logger().info("odd", a="\ud800", b=1 << 100, c=object(), d={1: 2}, e="x" * 100_000, f=b"\xff", g=deep)
    assert lines(stream)[0]["event"] == "odd"
    assert len(stream.getvalue()) < 2 * MAX_VALUE_CHARS


def test_bound_context_is_in_every_line(stream: io.BytesIO) -> None:
    """What a task binds appears in its events."""
    configure_logging("INFO", stream=stream)
    with structlog.contextvars.bound_contextvars(connection_id="conn_abc"):
        structlog.get_logger().info("sync_started")
    assert lines(stream)[0]["connection_id"] == "conn_abc"


def test_the_console_form_is_for_people(stream: io.BytesIO) -> None:
    """Text with the name and the fields, tracebacks included, and no colours where there is no terminal."""
    configure_logging("INFO", "console", stream)
    log = structlog.get_logger()
    log.info("page_committed", records=100, password="hunter2")
    try:
        raise ValueError("odd \ud800")
    except ValueError:
        log.exception("sync_failed")
    text = stream.getvalue().decode()
    assert "page_committed" in text
    assert "records=100" in text
    assert "Traceback" in text
    assert "hunter2" not in text
    assert "\x1b" not in text
