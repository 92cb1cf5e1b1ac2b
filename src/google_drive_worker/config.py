"""Configuration by environment variables: names, defaults, bounds, and what to say where one is wrong.

Only `bootstrap` and the commands read it; everything else is given the values it needs.
"""

import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal, get_args
from urllib.parse import urlsplit

from annotated_types import Ge, Le
from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from google_drive_worker.utils.errors import Misconfigured

HEALTH_OFF = -1
"""`HEALTH_PORT` when there shall be no health server."""

_MAX_SHOWN_CHARS = 80
_WAITS_AT_MOST = 8
_LONGEST_WAIT_S = 24 * 3_600.0
_TOPIC_NAME = re.compile(r"[a-zA-Z0-9._-]{1,249}")
_BUCKET_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_SERVERS = re.compile(r"[^\s,:@/]+(:\d{1,5})?|\[[0-9a-fA-F:.]+\](:\d{1,5})?")


def _topic_name(name: str) -> str:
    if not _TOPIC_NAME.fullmatch(name) or name in {".", ".."}:
        raise ValueError("is no name of a Kafka topic; set 1 to 249 letters, digits, dots, dashes and underscores")
    return name


def _instance_id(text: str) -> str:
    if not _TOPIC_NAME.fullmatch(text) or text in {".", ".."}:
        raise ValueError("is no id for Kafka; set 1 to 249 letters, digits, dots, dashes and underscores")
    return text


def _servers(text: str) -> str:
    if not all(_SERVERS.fullmatch(server.strip()) for server in text.split(",")):
        raise ValueError("is no list of servers; set host:port, and more of them after commas")
    return text


def _plain_url(url: str) -> str:
    """Accept https, or http to this machine; nothing in it that would be sent along or logged by mistake."""
    mend = "set an https URL (http for this machine alone) without user, query and fragment"
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ValueError(f"is no URL; {mend}") from None
    if not host or "@" in parts.netloc or parts.query or parts.fragment:
        raise ValueError(f"can't be used; {mend}")
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(host)):
        raise ValueError(f"is not safe; {mend}")
    return url.rstrip("/")


def _bucket(text: str) -> str:
    """Accept a bucket's name (S3 guide, "Bucket naming rules"), or an absolute directory as a URL."""
    mend = "set a bucket's name (3 to 63 small letters, digits, dots, dashes), or file:///an/absolute/directory"
    if text.startswith("file:"):
        parts = urlsplit(text)
        if parts.netloc or not parts.path.startswith("/") or parts.query or parts.fragment:
            raise ValueError(f"is no directory; {mend}")
        return text
    if not _BUCKET_NAME.fullmatch(text):
        raise ValueError(f"is no bucket; {mend}")
    return text


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _off_where_empty(value: object) -> object:
    return HEALTH_OFF if value == "" else value


def _upper(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


def _waits(text: str) -> str:
    try:
        waits_of(text)
    except ValueError:
        mend = "set up to eight numbers of seconds from 1 to 86,400 with commas between them, or none"
        raise ValueError(f"is no list of waits; {mend}") from None
    return text


def waits_of(text: str) -> tuple[float, ...]:
    """Return the seconds of a list with commas; `none` has no seconds. Raises ValueError where it is no such list."""
    waits = () if text == "none" else tuple(float(each) for each in text.split(","))
    if len(waits) > _WAITS_AT_MOST or not all(1 <= each <= _LONGEST_WAIT_S for each in waits):
        raise ValueError("out of bounds")
    return waits


Text = Annotated[str, Field(min_length=1, max_length=256)]
Topic = Annotated[str, AfterValidator(_topic_name)]
Url = Annotated[str, AfterValidator(_plain_url)]
TokenSecret = Annotated[SecretStr, Field(min_length=16, max_length=1024)]
LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]
LogFormat = Literal["json", "console"]
SecurityProtocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
SaslMechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]
QuotaModel = Literal["units", "requests"]


class Settings(BaseSettings):
    """All of the configuration. A field is the environment variable of its name in capitals.

    Made by `load_settings`; made directly it holds the defaults and what is passed, whatever the environment says.
    """

    model_config = SettingsConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    kafka_bootstrap_servers: Annotated[str, AfterValidator(_servers)] = Field(
        default="localhost:9092", description="Kafka brokers to start from: `host:port`, separated by commas."
    )
    kafka_consumer_group_id: Text = Field(
        default="google-drive-worker", description="Consumer group; workers of one group share the partitions."
    )
    kafka_group_instance_id: Annotated[str, AfterValidator(_instance_id)] | None = Field(
        default=None,
        description="This worker's own name in the group, another one for each worker: where it returns within "
        "`KAFKA_SESSION_TIMEOUT_MS` it gets its partitions back, and no other worker is disturbed.",
    )
    kafka_security_protocol: Annotated[SecurityProtocol, BeforeValidator(_upper)] = Field(
        default="PLAINTEXT", description="How brokers are spoken to; `SSL` and `SASL_SSL` keep others from reading."
    )
    kafka_sasl_mechanism: Annotated[SaslMechanism, BeforeValidator(_upper)] = Field(
        default="SCRAM-SHA-512", description="How the password is proven, with `SASL_SSL` and `SASL_PLAINTEXT`."
    )
    kafka_sasl_username: Text | None = Field(default=None, description="Who the worker is to the brokers, with SASL.")
    kafka_sasl_password: SecretStr | None = Field(default=None, description="Its password; never logged.")
    kafka_ssl_ca_path: Path | None = Field(
        default=None, description="Authority that signed the brokers' certificates (PEM); unset: the system's."
    )
    kafka_ssl_cert_path: Path | None = Field(
        default=None, description="The worker's certificate for the brokers (PEM), where they ask for one."
    )
    kafka_ssl_key_path: Path | None = Field(default=None, description="Its key (PEM, without a password).")
    kafka_topic_trigger: Topic = Field(default="integration.trigger", description="Triggers, in.")
    kafka_topic_webhook: Topic = Field(
        default="webhook.raw", description="Google's notifications, in; may be missing where there is no push."
    )
    kafka_topic_data: Topic = Field(default="ingestion.data", description="Records, out.")
    kafka_topic_errors: Topic = Field(default="integration.errors", description="Errors, out.")
    kafka_topic_state: Topic = Field(
        default="google-drive.state",
        description="The worker's own checkpoints; compacted, partitioned as the triggers are.",
    )
    kafka_topic_items: Topic = Field(
        default="google-drive.items",
        description="What the worker has written of each item; compacted, partitioned as the triggers are.",
    )
    kafka_topic_replication_factor: int = Field(
        default=-1,
        ge=-1,
        le=32767,
        description="Of the state topic when `topics` creates it; -1 is the broker's default.",
    )
    kafka_transaction_timeout_ms: int = Field(
        default=30_000,
        ge=1_000,
        le=900_000,
        description="How long the broker waits before it aborts a silent transaction.",
    )
    kafka_session_timeout_ms: int = Field(
        default=45_000, ge=1_000, le=1_800_000, description="How long a silent worker keeps its partitions."
    )

    worker_integration_id: Text = Field(
        default="google-drive", description="Messages with another `integration_id` are skipped."
    )
    worker_max_concurrent_connections: int = Field(
        default=10,
        ge=1,
        le=10_000,
        description="Connections that are synced at the same time; the others wait for their turn. As many again may "
        "be finishing the calls of a turn that is over.",
    )
    worker_turn_s: float = Field(
        default=1.0,
        ge=0.1,
        le=3_600,
        description="How long a connection works before it makes room for one that waits: about as long as a small "
        "sync waits beside huge ones.",
    )
    sync_gap_retry_s: float = Field(
        default=60.0,
        gt=0,
        le=43_200,
        description="How long what a sync could not read rests before it is asked for again: then twice as long each "
        "time, up to six hours.",
    )
    sync_confirm_after_s: float = Field(
        default=180.0,
        gt=0,
        le=43_200,
        description="How long after Google first says that it does not find a drive, a folder or an item it is looked "
        "up again; only the second answer deletes it. Some minutes: a proxy can answer 404 for one.",
    )
    sync_list_again_after_s: Annotated[str, AfterValidator(_waits)] = Field(
        default="600,7200",
        description="After how many seconds what was listed because it became visible (a full sync, a joined drive, a "
        "folder that was gained, moved or shared) is listed again, once for each number: Google's lists lag, and leave "
        "items out. It costs 100 quota units for each page of it. `none`: never.",
    )
    sync_verify_units_per_min: float = Field(
        default=100.0,
        ge=0,
        le=100_000,
        description="How many quota units a minute a connection spends on asking for all its items by their ids, for "
        "what no change log tells: 5 an item, and 100 for a file's comments where these are mirrored. A round takes a "
        "day at least. Spent 3,000 at a time, once a day at least. 0: never.",
    )
    worker_commit_interval_ms: int = Field(
        default=200, ge=0, le=60_000, description="How long finished pages wait for others to share a transaction with."
    )
    worker_commit_max_records: int = Field(
        default=2_000, ge=1, le=1_000_000, description="A transaction is committed early when it has this many records."
    )
    worker_shutdown_timeout_s: float = Field(
        default=15.0,
        ge=0,
        le=3_600,
        description="How long a stop waits for pages in flight; with the last commit well below Kubernetes' 30 s.",
    )
    worker_state_dir: Path = Field(
        default=Path(tempfile.gettempdir()) / "google-drive-worker",
        description="Where the item index is kept on disk, built from its topic where it is not there: some 400 bytes "
        "an item of the partitions that the worker owns.",
    )
    worker_payload_limit_bytes: int = Field(
        default=262_144,
        ge=1_024,
        le=900_000,
        description="The data of a record that is larger goes to the object store.",
    )

    gdrive_api_base_url: Url = Field(
        default="https://www.googleapis.com/drive/v3", description="The Drive API: https, or http on this machine."
    )
    gdrive_page_size: int = Field(
        default=100, ge=1, le=1_000, description="Files and changes a page; Google allows 1,000."
    )
    gdrive_include_shared_drives: bool = Field(
        default=True, description="Mirror shared drives as well, where a connection does not say otherwise."
    )
    gdrive_quota_model: QuotaModel = Field(
        default="units",
        description="How Google meters the project: `units` since May 2026, `requests` for older projects.",
    )
    gdrive_quota_project_per_minute: int | None = Field(
        default=None,
        ge=1,
        le=1_000_000_000,
        description="The project's quota a minute, where it is not the model's default.",
    )
    gdrive_quota_user_per_minute: int | None = Field(
        default=None,
        ge=1,
        le=1_000_000_000,
        description="A user's quota a minute, where it is not the model's default.",
    )
    gdrive_max_concurrent_listings: int = Field(
        default=16,
        ge=1,
        le=100,
        description="Pages of one connection that are fetched at the same time, at the most: those that are synced "
        "at the same time share about 32, and have one each at least.",
    )
    gdrive_request_timeout_s: float = Field(
        default=60.0, ge=0.1, le=3_600, description="For one attempt of one request."
    )
    gdrive_max_attempts: int = Field(
        default=6, ge=1, le=100, description="Attempts at one request before it is given up."
    )
    gdrive_max_retry_time_s: float = Field(
        default=20.0,
        ge=0,
        le=86_400,
        description="Time for all attempts at one request; after it the connection is parked.",
    )

    gdrive_webhook_address: Url | None = Field(
        default=None,
        description="Where Google sends push notifications: the Webhook Proxy's https address. Unset: no push.",
    )
    webhook_token_secret: TokenSecret | None = Field(
        default=None, description="Signs the tokens of push channels; required with GDRIVE_WEBHOOK_ADDRESS."
    )
    webhook_token_secret_previous: TokenSecret | None = Field(
        default=None, description="The secret before it, which stays valid for a week when it is changed."
    )

    s3_bucket_name: Annotated[Text, AfterValidator(_bucket)] = Field(
        default="clustera-integrations",
        description="Bucket for large payloads and file contents, or a directory as `file:///path`.",
    )
    s3_region: Text = Field(default="us-east-1", description="Its region.")
    s3_endpoint_url: Url | None = Field(
        default=None, description="A server that speaks S3, where it is not Amazon's: https, or http on this machine."
    )
    s3_kms_key_id: Text | None = Field(
        default=None, description="Key that objects are encrypted with (SSE-KMS), where not the bucket's own."
    )

    connections_file: Path | None = Field(
        default=None,
        description="TOML file with one table a connection, where there is no Control Plane; nothing is reported then.",
    )
    control_plane_base_url: Url = Field(
        default="https://control-plane.clustera.io",
        description="The Control Plane, which knows the connections; asked where CONNECTIONS_FILE is unset.",
    )
    control_plane_mtls_cert_path: Path = Field(
        default=Path("/etc/certs/client.crt"),
        description="Client certificate for it, with its chain (PEM); read again when it changes.",
    )
    control_plane_mtls_key_path: Path = Field(
        default=Path("/etc/certs/client.key"), description="The certificate's key (PEM, without a password)."
    )
    control_plane_mtls_ca_path: Path | None = Field(
        default=None, description="Authority that signed the Control Plane's certificate (PEM); unset: the system's."
    )
    control_plane_timeout_s: float = Field(
        default=5.0, ge=0.1, le=60, description="For one attempt of one request to it."
    )

    health_host: Text = Field(default="0.0.0.0", description="Where health and metrics are served.")  # noqa: S104 - probes come from outside the pod
    health_port: Annotated[int, BeforeValidator(_off_where_empty)] = Field(
        default=8080,
        ge=HEALTH_OFF,
        le=65_535,
        description="Their port; 0 takes any free one, -1 or empty turns them off.",
    )

    log_level: Annotated[LogLevel, BeforeValidator(_upper)] = Field(
        default="INFO", description="The least that is logged; of libraries `INFO` at the least, whatever is set."
    )
    log_format: Annotated[LogFormat, BeforeValidator(_lower)] = Field(
        default="json", description="`json` for machines, `console` for people."
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read nothing behind the caller's back: `load_settings` names the environment it takes."""
        return (init_settings,)


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the configuration from `environ`, by default the process's environment.

    Variables that are unknown are ignored, those that are empty count as unset. Raises `Misconfigured`, whose text has
    one line for each wrong variable: its name, its value (never a secret), what is wrong and how to mend it.
    """
    source = EnvSettingsSource(Settings)
    source.env_vars = {
        name.lower(): value.strip()
        for name, value in (os.environ if environ is None else environ).items()
        if value.strip() or name.upper() == "HEALTH_PORT"
    }
    try:
        settings = Settings(**source())
    except ValidationError as problem:
        raise Misconfigured("\n".join(_line(error, source.env_vars) for error in problem.errors())) from None
    if conflicts := list(_conflicts(settings)):
        raise Misconfigured("\n".join(conflicts))
    return settings


def _conflicts(settings: Settings) -> list[str]:
    """Say which values are right each by itself and wrong together."""
    lines = []
    topics = {name: value for name, value in settings if name.startswith("kafka_topic_") and isinstance(value, str)}
    for name, topic in topics.items():
        if others := [other.upper() for other, value in topics.items() if value == topic and other < name]:
            lines.append(f"{name.upper()}={topic} is {others[0]} as well; set a topic of its own for each")
    if settings.gdrive_webhook_address is not None and settings.webhook_token_secret is None:
        lines.append("GDRIVE_WEBHOOK_ADDRESS is set without WEBHOOK_TOKEN_SECRET; set one of 16 characters or more")
    if settings.worker_commit_interval_ms >= settings.kafka_transaction_timeout_ms:
        lines.append(
            f"WORKER_COMMIT_INTERVAL_MS={settings.worker_commit_interval_ms} is not below KAFKA_TRANSACTION_TIMEOUT_MS="
            f"{settings.kafka_transaction_timeout_ms}; set a smaller one"
        )
    return lines + list(_kafka_security_conflicts(settings))


def _kafka_security_conflicts(settings: Settings) -> Iterator[str]:
    """A secret that would go unused is a mistake: the connection is less safe than its owner believes."""
    protocol = settings.kafka_security_protocol
    given = {
        "KAFKA_SASL_USERNAME": settings.kafka_sasl_username,
        "KAFKA_SASL_PASSWORD": settings.kafka_sasl_password,
        "KAFKA_SSL_CA_PATH": settings.kafka_ssl_ca_path,
        "KAFKA_SSL_CERT_PATH": settings.kafka_ssl_cert_path,
        "KAFKA_SSL_KEY_PATH": settings.kafka_ssl_key_path,
    }
    for name, value in given.items():
        kind = name.split("_")[1]
        if value is not None and kind not in protocol:
            yield f"{name} is set, but KAFKA_SECURITY_PROTOCOL={protocol} does not use it; set another"
        if value is None and kind == "SASL" and kind in protocol:
            yield f"KAFKA_SECURITY_PROTOCOL={protocol} needs {name}; set it"
        if isinstance(value, Path) and not os.access(value, os.R_OK):
            yield f"{name}={value} can't be read; set the path of a PEM file"
    if (settings.kafka_ssl_cert_path is None) != (settings.kafka_ssl_key_path is None):
        yield "KAFKA_SSL_CERT_PATH and KAFKA_SSL_KEY_PATH go together; set both, or neither"
    if protocol == "SASL_PLAINTEXT" and settings.kafka_sasl_mechanism == "PLAIN":
        yield "KAFKA_SASL_MECHANISM=PLAIN would send the password unencrypted; set KAFKA_SECURITY_PROTOCOL=SASL_SSL"


def _line(error: ErrorDetails, given: Mapping[str, str | None]) -> str:
    name = str(error["loc"][0])
    shown = "***" if "secret" in name or "password" in name else _shown(given.get(name))
    return f"{name.upper()}={shown} {_trouble(error, Settings.model_fields[name])}"


def _shown(value: object) -> str:
    text = re.sub(r"//[^/]*@", "//***@", str(value))
    text = text if text.isprintable() else repr(text)
    return text if len(text) <= _MAX_SHOWN_CHARS else text[: _MAX_SHOWN_CHARS - 1] + "…"


def _trouble(error: ErrorDetails, field: FieldInfo) -> str:
    """What is wrong with a value, and the mend."""
    kind, context = error["type"], error.get("ctx", {})
    low, high = bounds(field)
    span = f"set a number from {low} to {high}" if low is not None and high is not None else "set another"
    texts = {
        "greater_than_equal": f"is under the minimum of {low}; {span}",
        "less_than_equal": f"is over the maximum of {high}; {span}",
        "int_parsing": f"is no whole number; {span}",
        "int_parsing_size": f"is no whole number of that size; {span}",
        "finite_number": f"is no number; {span}",
        "float_parsing": f"is no number; {span}",
        "bool_parsing": "is neither true nor false; set true or false",
        "literal_error": f"is unknown; set one of: {', '.join(choices(field))}",
        "too_short": f"is shorter than {context.get('min_length')} characters; set a longer one",
        "too_long": f"is longer than {context.get('max_length')} characters; set a shorter one",
        "string_too_long": f"is longer than {context.get('max_length')} characters; set a shorter one",
        "value_error": str(context.get("error", "")),
    }
    return texts.get(kind) or f"can't be used: {error['msg']}; see docs/configuration.md"


def bounds(field: FieldInfo) -> tuple[float | None, float | None]:
    """The least and the greatest value of a field, where it has them."""
    low = next((rule.ge for rule in field.metadata if isinstance(rule, Ge)), None)
    high = next((rule.le for rule in field.metadata if isinstance(rule, Le)), None)
    return low, high  # type: ignore[return-value]  # annotated_types leaves open what is compared; here it is numbers


def choices(field: FieldInfo) -> tuple[str, ...]:
    """The values of a field that has only a few."""
    return tuple(choice for choice in get_args(field.annotation) if isinstance(choice, str))
