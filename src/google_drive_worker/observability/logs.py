"""Structured logs: one JSON object a line (or text for people), without secrets, libraries' messages included.

An event has a name in snake_case (`event`) and fields; `timestamp` and `level` come first. Libraries' own messages
arrive as the event `library_message` with `logger` and `message`. Log a page or a sync, never a record.
"""

import json
import logging
import sys
import threading
from collections.abc import Mapping, MutableMapping
from types import TracebackType
from typing import Any, BinaryIO, Literal

import orjson
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from google_drive_worker.messages.redaction import REDACTED, is_secret_key, redact
from google_drive_worker.utils.errors import origin

LogFormat = Literal["json", "console"]

MAX_VALUE_CHARS = 8_192
"""For one field; a traceback has a few thousand characters, and no line may fill a disk."""

_MAX_DEPTH = 4
_QUIET = {"aiohttp.access": logging.WARNING, "asyncio": logging.WARNING, "urllib3": logging.WARNING}
"""Loggers whose lower levels say nothing about the worker."""

_LIBRARIES_LEAST = logging.INFO
"""What libraries say below it is never written: botocore's DEBUG lines hold requests to STS and its answers, with the
web identity token and the keys, under names that no list of ours can be sure to know."""


def configure_logging(level: str = "INFO", log_format: LogFormat = "json", stream: BinaryIO | None = None) -> None:
    """Set up logging for the process: structlog's and the standard library's, into one stream.

    `level` is a standard name (`DEBUG` to `CRITICAL`), `stream` by default standard error, so that standard output
    stays for what a command prints. `DEBUG` is for our own lines: libraries are heard from `INFO` on. May be called
    again; the last call holds.
    """
    threshold = logging.getLevelNamesMapping()[level]
    target = sys.stderr.buffer if stream is None else stream
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            clean,
            _json_line if log_format == "json" else _console_line(target),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.BytesLoggerFactory(target),
        cache_logger_on_first_use=False,  # a second call of this function must hold for every logger
    )
    _route_standard_library(threshold)


def log_format_of(environ: Mapping[str, str]) -> LogFormat:
    """Return the format that `LOG_FORMAT` asks for, before the settings are read: JSON unless it is `console`."""
    return "console" if environ.get("LOG_FORMAT", "").strip().lower() == "console" else "json"


def log_uncaught() -> None:
    """Log what no code catches, in threads and at the process's end too, which Python would write as text.

    Only where it comes from is told: an exception's text may hold anything.
    """

    def on_uncaught(_kind: type[BaseException], problem: BaseException, _trace: TracebackType | None) -> None:
        structlog.get_logger().critical("uncaught_exception", message=origin(problem))

    def on_thread(args: threading.ExceptHookArgs) -> None:
        if args.exc_value is not None:
            name = None if args.thread is None else args.thread.name
            structlog.get_logger().error("uncaught_exception", message=origin(args.exc_value), thread=name)

    def on_unraisable(args: "sys.UnraisableHookArgs") -> None:
        if args.exc_value is not None:
            structlog.get_logger().error("uncaught_exception", message=origin(args.exc_value))

    sys.excepthook, threading.excepthook, sys.unraisablehook = on_uncaught, on_thread, on_unraisable


def clean(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Hide values under telling keys, and secrets that somebody else's words repeat; cut what is long."""
    for key, value in event.items():
        event[key] = _cleaned(key, value, 0)
    for key in ("exception", "message", "error", "detail"):
        if isinstance(event.get(key), str):
            event[key] = redact(event[key])
    return event


def _cleaned(key: str, value: object, depth: int) -> object:
    if value is not None and is_secret_key(key):
        return REDACTED
    if isinstance(value, str) and len(value) > MAX_VALUE_CHARS:
        return f"{value[:MAX_VALUE_CHARS]}… [{len(value)} characters in all]"
    if isinstance(value, dict):
        if depth >= _MAX_DEPTH:
            return "…"
        return {str(name): _cleaned(str(name), item, depth + 1) for name, item in value.items()}
    return value


def _json_line(_logger: WrappedLogger, _method: str, event: EventDict) -> bytes:
    ordered = {**{first: event.pop(first, None) for first in ("timestamp", "level", "event")}, **event}
    try:
        return orjson.dumps(ordered, default=repr, option=orjson.OPT_NON_STR_KEYS)
    except TypeError:  # a lone surrogate, or an integer over 64 bits
        return json.dumps(ordered, default=repr).encode()


def _console_line(target: BinaryIO) -> Processor:
    render = structlog.dev.ConsoleRenderer(colors=target.isatty(), exception_formatter=structlog.dev.plain_traceback)

    def line(logger: WrappedLogger, method: str, event: MutableMapping[str, Any]) -> bytes:
        return str(render(logger, method, event)).encode("utf-8", "backslashreplace")

    return line


class _ToStructlog(logging.Handler):
    """Hands the standard library's records to structlog."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            structlog.get_logger().log(
                _standard_level(record.levelno),
                "library_message",
                logger=record.name,
                message=record.getMessage(),
                exc_info=record.exc_info,
            )
        except Exception:  # logging never breaks what logs
            self.handleError(record)


def _standard_level(level: int) -> int:
    """Round a level of a library's own down to one that has a name."""
    return min(max(level // 10 * 10, logging.DEBUG), logging.CRITICAL)


def _route_standard_library(threshold: int) -> None:
    root = logging.getLogger()
    for handler in [handler for handler in root.handlers if isinstance(handler, _ToStructlog)]:
        root.removeHandler(handler)
    root.addHandler(_ToStructlog())
    root.setLevel(max(threshold, _LIBRARIES_LEAST))
    for name, least in _QUIET.items():
        logging.getLogger(name).setLevel(max(threshold, least))
    logging.captureWarnings(capture=True)
