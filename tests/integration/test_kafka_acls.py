"""The rights that `docs/security.md` lists, tried on a broker that grants nothing else."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)

from control_plane_simulator.authority import Authority
from drive_simulator.corpus.generator import CorpusPlan, generate
from support.canaries import topics_as_written
from support.kafka_broker import KafkaBroker
from support.mirroring import FIRST, staged
from support.ports import free_ports
from support.secured_broker import PASSWORD, USER, scram_users, secured_listeners
from support.topics import Topics, create_topics

pytestmark = pytest.mark.kafka

PAGE = Path(__file__).parents[2] / "docs" / "security.md"
DEADLINE_S = 30.0

# Whoever comes by the plain listener is the tests or the broker itself, and may do all.
_AUTHORIZER = """\
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
"""
_OPERATIONS = {
    "Read": AclOperation.READ,
    "Write": AclOperation.WRITE,
    "Describe": AclOperation.DESCRIBE,
    "DescribeConfigs": AclOperation.DESCRIBE_CONFIGS,
}


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory, brokers_can_start: None) -> Iterator[dict[str, str]]:
    """A broker with an authorizer, and the settings by which the worker comes to it; `PLAIN_SERVERS` is our way."""
    directory, authority, ports = tmp_path_factory.mktemp("acls"), Authority(), free_ports(2)
    first, second = secured_listeners(authority, directory, (ports[0], ports[1]))
    listeners = (replace(first, properties=first.properties + _AUTHORIZER), second)
    with KafkaBroker(listeners=listeners, format_arguments=scram_users()) as broker:
        yield {
            "PLAIN_SERVERS": broker.bootstrap_servers,
            "KAFKA_BOOTSTRAP_SERVERS": f"localhost:{ports[0]}",
            "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
            "KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
            "KAFKA_SASL_USERNAME": USER,
            "KAFKA_SASL_PASSWORD": PASSWORD,
            "KAFKA_SSL_CA_PATH": str(directory / "trust.pem"),
        }


def test_the_rights_on_the_page_are_enough_and_one_less_is_told(settings: dict[str, str], tmp_path: Path) -> None:
    """A full sync goes through with them; without one for records the worker says so, and never the password."""
    plain = settings["PLAIN_SERVERS"]
    topics = create_topics(plain)
    admin = AdminClient({"bootstrap.servers": plain, "log_level": 0})
    listed = rights(PAGE.read_text(encoding="utf-8"), topics)
    assert len(listed) >= 18
    _grant(admin, listed)
    secured = {name: value for name, value in settings.items() if name != "PLAIN_SERVERS"} | {"LOG_LEVEL": "DEBUG"}
    with staged(generate(CorpusPlan(files=50)), topics, tmp_path) as stage:
        with stage.worker(secured) as worker:
            stage.sync(FIRST, "full_sync")
            stage.assert_equal()
            assert worker.lines(level="error") == worker.lines(level="warning") == []
            assert worker.terminate() == 0
        _take_away(admin, topics)
        with stage.worker(secured) as worker:
            stage.trigger(FIRST, "full_sync")
            told = worker.wait_for("partition_reopening", deadline_s=DEADLINE_S)
            assert "Topic authorization failed" in told["message"]
            _grant(admin, listed)
            stage.settle(FIRST)
            stage.assert_equal()
            pages = {path: worker.page(path).encode() for path in ("/metrics", "/health/live", "/health/ready")}
            let_out = {**topics_as_written(topics), **pages, "log": worker.text().encode()}
            assert all(let_out.values())
            assert [place for place, text in let_out.items() if PASSWORD.encode() in text] == []


def rights(page: str, topics: Topics) -> list[AclBinding]:
    """The worker's rows of the page's table as Kafka's bindings, under the names of the test's topics."""
    section = page.partition("## What the worker has to be allowed (ACLs)")[2]
    found: list[AclBinding] = []
    for resource, operations in re.findall(
        r"^\| ((?:topic|group|transactional) .*?) \| ([^|]*) \|", section, re.MULTILINE
    ):
        for kind, name, pattern in _resources(resource, topics):
            found += [_binding(kind, name, pattern, operation) for operation in operations.split(", ")]
    return found


def _resources(text: str, topics: Topics) -> list[tuple[ResourceType, str, ResourcePatternType]]:
    """What a cell of the first column names."""
    literal, prefixed = ResourcePatternType.LITERAL, ResourcePatternType.PREFIXED
    if text.startswith("topic "):
        return [(ResourceType.TOPIC, f"{topics.prefix}.{text.split('`')[1]}", literal)]
    if text.startswith("group "):
        assert "`-webhook`" in text
        return [(ResourceType.GROUP, topics.group_id + more, literal) for more in ("", "-webhook")]
    assert text == "transactional ids that begin with `KAFKA_CONSUMER_GROUP_ID` and a dash"
    return [(ResourceType.TRANSACTIONAL_ID, f"{topics.group_id}-", prefixed)]


def _binding(kind: ResourceType, name: str, pattern: ResourcePatternType, operation: str) -> AclBinding:
    return AclBinding(kind, name, pattern, f"User:{USER}", "*", _OPERATIONS[operation], AclPermissionType.ALLOW)


def _grant(admin: AdminClient, rights: list[AclBinding]) -> None:
    for granted in admin.create_acls(rights).values():
        granted.result(DEADLINE_S)


def _take_away(admin: AdminClient, topics: Topics) -> None:
    """Write on the topic of the records."""
    wanted = AclBindingFilter(
        ResourceType.TOPIC,
        topics.data,
        ResourcePatternType.LITERAL,
        f"User:{USER}",
        "*",
        AclOperation.WRITE,
        AclPermissionType.ALLOW,
    )
    for gone in admin.delete_acls([wanted]).values():
        assert len(gone.result(DEADLINE_S)) == 1
