"""Configuration: the specification's names and defaults, and one clear line for each wrong value."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from google_drive_worker.config import HEALTH_OFF, Settings, load_settings
from google_drive_worker.utils.errors import Misconfigured


def lines_of(**environ: str) -> list[str]:
    """Load a wrong configuration and return what is said about it."""
    with pytest.raises(Misconfigured) as caught:
        load_settings(environ)
    return caught.value.message.split("\n")


def test_the_specification_s_defaults() -> None:
    """An empty environment gives each of the specification's values."""
    settings = load_settings({})
    assert settings.kafka_bootstrap_servers == "localhost:9092"
    assert settings.kafka_consumer_group_id == "google-drive-worker"
    assert settings.worker_integration_id == "google-drive"
    assert settings.worker_max_concurrent_connections == 10
    assert settings.gdrive_api_base_url == "https://www.googleapis.com/drive/v3"
    assert settings.gdrive_page_size == 100
    assert settings.gdrive_include_shared_drives is True
    assert settings.s3_bucket_name == "clustera-integrations"
    assert settings.s3_region == "us-east-1"
    assert settings.control_plane_base_url == "https://control-plane.clustera.io"
    assert settings.control_plane_mtls_cert_path == Path("/etc/certs/client.crt")
    assert settings.control_plane_mtls_key_path == Path("/etc/certs/client.key")
    assert settings.log_level == "INFO"
    assert settings.log_format == "json"


def test_values_come_from_the_environment_given() -> None:
    """Each type of value is read, in any case and with space around it; unknown variables are ignored."""
    settings = load_settings(
        {
            "GDRIVE_PAGE_SIZE": " 1000 ",
            "gdrive_include_shared_drives": "False",
            "WORKER_TURN_S": "0.5",
            "LOG_LEVEL": "debug",
            "CONNECTIONS_FILE": "/etc/connections.toml",
            "CONTROL_PLANE_BASE_URL": "https://control-plane.clustera.io/",
            "CONTROL_PLANE_MTLS_CERT_PATH": "/etc/certs/client.crt",
            "CONTROL_PLANE_MTLS_KEY_PATH": "/etc/certs/client.key",
            "KAFKA_TOPIC_DATA": "",
            "HOME": "/root",
        }
    )
    assert settings.gdrive_page_size == 1000
    assert settings.gdrive_include_shared_drives is False
    assert settings.worker_turn_s == 0.5
    assert settings.log_level == "DEBUG"
    assert settings.connections_file == Path("/etc/connections.toml")
    assert settings.control_plane_base_url == "https://control-plane.clustera.io"
    assert settings.kafka_topic_data == "ingestion.data"


def test_the_process_s_environment_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an environment given, the process's own is read."""
    monkeypatch.setenv("GDRIVE_PAGE_SIZE", "7")
    assert load_settings().gdrive_page_size == 7
    assert Settings().gdrive_page_size == 100


@pytest.mark.parametrize(("port", "expected"), [("", HEALTH_OFF), ("-1", HEALTH_OFF), ("0", 0), ("9000", 9000)])
def test_the_health_port_can_be_turned_off(port: str, expected: int) -> None:
    """Empty and -1 mean no health server at all."""
    assert load_settings({"HEALTH_PORT": port}).health_port == expected


def test_settings_do_not_change() -> None:
    """What was read at the start holds until the end."""
    with pytest.raises(ValidationError):
        setattr(Settings(), "gdrive_page_size", 5)  # noqa: B010 - an assignment would not pass the type check


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("GDRIVE_PAGE_SIZE", "5000", "is over the maximum of 1000; set a number from 1 to 1000"),
        ("GDRIVE_PAGE_SIZE", "0", "is under the minimum of 1; set a number from 1 to 1000"),
        ("GDRIVE_PAGE_SIZE", "many", "is no whole number; set a number from 1 to 1000"),
        ("GDRIVE_PAGE_SIZE", "1.5", "is no whole number; set a number from 1 to 1000"),
        ("GDRIVE_QUOTA_USER_PER_MINUTE", "x", "is no whole number; set a number from 1 to 1000000000"),
        ("WORKER_TURN_S", "soon", "is no number; set a number from 0.1 to 3600"),
        ("WORKER_TURN_S", "nan", "is no number; set a number from 0.1 to 3600"),
        ("GDRIVE_INCLUDE_SHARED_DRIVES", "maybe", "is neither true nor false; set true or false"),
        ("LOG_LEVEL", "loud", "is unknown; set one of: DEBUG, INFO, WARNING, ERROR, CRITICAL"),
        ("GDRIVE_QUOTA_MODEL", "free", "is unknown; set one of: units, requests"),
        (
            "KAFKA_TOPIC_STATE",
            "a topic",
            "is no name of a Kafka topic; set 1 to 249 letters, digits, dots, dashes and underscores",
        ),
        (
            "KAFKA_GROUP_INSTANCE_ID",
            "pod/0",
            "is no id for Kafka; set 1 to 249 letters, digits, dots, dashes and underscores",
        ),
        ("KAFKA_BOOTSTRAP_SERVERS", "a:b:c", "is no list of servers; set host:port, and more of them after commas"),
    ],
)
def test_a_wrong_value_is_one_line_with_the_mend(name: str, value: str, line: str) -> None:
    """The line names the variable, its value, what is wrong with it and what to set instead."""
    assert lines_of(**{name: value}) == [f"{name}={value} {line}"]


def test_each_wrong_variable_has_its_line() -> None:
    """Several mistakes are told at once."""
    lines = lines_of(GDRIVE_PAGE_SIZE="0", LOG_FORMAT="xml", HEALTH_PORT="99999")
    assert sorted(line.split("=")[0] for line in lines) == ["GDRIVE_PAGE_SIZE", "HEALTH_PORT", "LOG_FORMAT"]


@pytest.mark.parametrize(
    "url",
    ["http://www.googleapis.com/drive/v3", "http://127.0.0.1.evil.example", "http://localhost.evil.example", "nowhere",
     "ftp://localhost", "https://", "https://h?x=1", "https://h:port", "https://[::1", "http://localhost@evil.example"],
)  # fmt: skip
def test_an_unsafe_address_is_refused(url: str) -> None:
    """Tokens go only over TLS or to this very machine."""
    (line,) = lines_of(GDRIVE_API_BASE_URL=url)
    assert line.startswith("GDRIVE_API_BASE_URL=")
    assert "set an https URL" in line


@pytest.mark.parametrize("url", ["http://127.0.0.1:8080/drive/v3", "http://[::1]:1/x", "http://localhost:9"])
def test_this_machine_may_be_spoken_to_without_tls(url: str) -> None:
    """A simulator on this machine needs no certificate."""
    assert load_settings({"GDRIVE_API_BASE_URL": url}).gdrive_api_base_url == url


def test_a_password_in_an_address_is_never_shown() -> None:
    """The line about an address leaves out who and by which password."""
    (line,) = lines_of(CONTROL_PLANE_BASE_URL="https://user:hunter2@control-plane")
    assert "hunter2" not in line
    assert line.startswith("CONTROL_PLANE_BASE_URL=https://***@control-plane ")


def test_a_line_stays_a_line() -> None:
    """Neither length nor line breaks of a value get through."""
    assert len(lines_of(GDRIVE_PAGE_SIZE="9" * 5000)[0]) < 200
    assert len(lines_of(LOG_FORMAT="a\nb\x1b[31m")) == 1


def test_topics_must_differ() -> None:
    """Two roles on one topic would feed the worker its own output."""
    (line,) = lines_of(KAFKA_TOPIC_DATA="integration.trigger")
    assert line == (
        "KAFKA_TOPIC_TRIGGER=integration.trigger is KAFKA_TOPIC_DATA as well; set a topic of its own for each"
    )


def test_a_commit_must_fit_its_transaction() -> None:
    """Waiting longer for a commit than the broker allows would abort every transaction."""
    (line,) = lines_of(WORKER_COMMIT_INTERVAL_MS="1000", KAFKA_TRANSACTION_TIMEOUT_MS="1000")
    assert line.startswith("WORKER_COMMIT_INTERVAL_MS=1000 is not below")


def test_kafka_s_secrets_are_used_or_refused(tmp_path: Path) -> None:
    """What SASL and TLS need must be there, and what would go unused is a mistake; no line holds a password."""
    ca = tmp_path / "ca.pem"
    ca.write_text("")
    sasl = {"KAFKA_SASL_USERNAME": "u", "KAFKA_SASL_PASSWORD": "a-secret"}
    assert lines_of(KAFKA_SECURITY_PROTOCOL="SASL_SSL") == [
        "KAFKA_SECURITY_PROTOCOL=SASL_SSL needs KAFKA_SASL_USERNAME; set it",
        "KAFKA_SECURITY_PROTOCOL=SASL_SSL needs KAFKA_SASL_PASSWORD; set it",
    ]
    assert "does not use it" in lines_of(KAFKA_SSL_CA_PATH=str(ca))[0]
    assert "can't be read" in lines_of(KAFKA_SECURITY_PROTOCOL="SSL", KAFKA_SSL_CA_PATH=str(tmp_path / "no"))[0]
    assert "go together" in lines_of(KAFKA_SECURITY_PROTOCOL="SSL", KAFKA_SSL_KEY_PATH=str(ca))[0]
    plain = lines_of(KAFKA_SECURITY_PROTOCOL="SASL_PLAINTEXT", KAFKA_SASL_MECHANISM="PLAIN", **sasl)
    assert "would send the password unencrypted" in plain[0]
    unused = lines_of(**sasl)
    assert len(unused) == 2
    assert "a-secret" not in "".join(unused) + repr(load_settings(sasl | {"KAFKA_SECURITY_PROTOCOL": "SASL_SSL"}))
