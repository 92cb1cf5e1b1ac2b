"""What is applied to a cluster fits the worker: its variables, its files, its times, its user."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from google_drive_worker.config import Settings, load_settings

ROOT = Path(__file__).parents[3]
DIRECTORY = ROOT / "deploy" / "kubernetes"
LAST_COMMIT_S = 20
"""What a stop may take beyond the time for the pages under way: the last commit, and leaving the group."""

MADE_BY_HAND = {"google-drive-worker", "google-drive-worker-certificates"}
"""The secrets: no file holds them."""


def documents() -> dict[tuple[str, str], dict[str, Any]]:
    """All that is applied, by kind and name."""
    found = [each for path in sorted(DIRECTORY.rglob("*.yaml")) for each in yaml.safe_load_all(path.read_text())]
    named = {(each["kind"], each["metadata"]["name"]): each for each in found}
    assert len(named) == len(found)
    return named


def pods() -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """The pod specifications, each with its container."""
    for (kind, _), each in documents().items():
        if kind in {"Deployment", "Job"}:
            pod = each["spec"]["template"]["spec"]
            (container,) = pod["containers"]
            yield pod, container


@pytest.fixture
def deployment() -> dict[str, Any]:
    """The fleet."""
    spec: dict[str, Any] = documents()["Deployment", "google-drive-worker"]["spec"]
    return spec


@pytest.fixture
def settings() -> Settings:
    """The worker's configuration in such a pod, the secrets made up."""
    _, container = next(pods())
    variables = {each["name"]: "made up for this test" for each in container["env"]}
    return load_settings({**documents()["ConfigMap", "google-drive-worker"]["data"], **variables})


def test_every_variable_is_one_of_the_worker_s() -> None:
    """A name that is misspelt would be ignored without a word; a value in YAML has to be a text."""
    known = {name.upper() for name in Settings.model_fields}
    data = documents()["ConfigMap", "google-drive-worker"]["data"]
    assert data.keys() <= known
    assert all(isinstance(value, str) for value in data.values())
    for _, container in pods():
        assert {each["name"] for each in container["env"]} <= known - data.keys()
        assert all(each["name"] == each["valueFrom"]["secretKeyRef"]["key"] for each in container["env"])


def test_what_is_secret_stands_in_no_file(settings: Settings) -> None:
    """Secrets come from a Secret, and none of them is among what is applied."""
    secrets = {name.upper() for name, field in Settings.model_fields.items() if "Secret" in str(field.annotation)}
    assert secrets == {"KAFKA_SASL_PASSWORD", "WEBHOOK_TOKEN_SECRET", "WEBHOOK_TOKEN_SECRET_PREVIOUS"}
    assert not secrets & documents()["ConfigMap", "google-drive-worker"]["data"].keys()
    assert not any(kind == "Secret" for kind, _ in documents())
    assert settings.kafka_security_protocol == "SASL_SSL"


def test_a_pod_is_killed_only_after_the_worker_could_stop(deployment: dict[str, Any], settings: Settings) -> None:
    """The pages under way, the last commit and leaving the group fit into the time that Kubernetes gives."""
    grace_s = deployment["template"]["spec"]["terminationGracePeriodSeconds"]
    assert grace_s >= settings.worker_shutdown_timeout_s + LAST_COMMIT_S


def test_probes_ask_where_the_worker_answers(deployment: dict[str, Any], settings: Settings) -> None:
    """Live and ready are asked on the port that health is served on, and so are metrics."""
    (container,) = deployment["template"]["spec"]["containers"]
    ports = {each["name"]: each["containerPort"] for each in container["ports"]}
    paths = {name: container[f"{name}Probe"]["httpGet"]["path"] for name in ("startup", "liveness", "readiness")}
    assert paths == {"startup": "/health/live", "liveness": "/health/live", "readiness": "/health/ready"}
    for name in paths:
        assert ports[container[f"{name}Probe"]["httpGet"]["port"]] == settings.health_port
    assert deployment["template"]["metadata"]["annotations"]["prometheus.io/port"] == str(settings.health_port)


def test_certificates_are_mounted_where_they_are_looked_for(deployment: dict[str, Any], settings: Settings) -> None:
    """All three files are in the directory of the Secret, which is mounted as a whole, so that they can be renewed."""
    pod = deployment["template"]["spec"]
    (container,) = pod["containers"]
    (volume,) = (each["name"] for each in pod["volumes"] if "secret" in each)
    (mount,) = (each for each in container["volumeMounts"] if each["name"] == volume)
    assert mount["readOnly"] is True
    assert "subPath" not in mount
    paths = (
        settings.control_plane_mtls_cert_path,
        settings.control_plane_mtls_key_path,
        settings.control_plane_mtls_ca_path,
    )
    assert {str(path.parent) for path in paths if path is not None} == {mount["mountPath"]}


def test_every_pod_is_held_to_the_least_that_it_needs() -> None:
    """Not root, no new rights, nothing to write to but its scratch, no token of the cluster's, bounded memory."""
    user = next(line for line in (ROOT / "Dockerfile").read_text().splitlines() if line.startswith("USER "))
    for pod, container in pods():
        who = pod["securityContext"]
        assert who["runAsNonRoot"] is True
        assert user == f"USER {who['runAsUser']}:{who['runAsGroup']}"
        assert who["seccompProfile"] == {"type": "RuntimeDefault"}
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert pod["automountServiceAccountToken"] is False
        assert container["resources"]["limits"]["memory"]
        assert container["resources"]["requests"].keys() == {"cpu", "memory"}


def test_what_is_referred_to_is_there(deployment: dict[str, Any]) -> None:
    """Names and selectors lead to what is applied beside them, or to the two secrets that are made by hand."""
    applied = documents()
    labels = deployment["template"]["metadata"]["labels"].items()
    budget = applied["PodDisruptionBudget", "google-drive-worker"]["spec"]
    assert deployment["selector"]["matchLabels"].items() <= labels
    assert budget["selector"]["matchLabels"].items() <= labels
    assert ("ServiceAccount", deployment["template"]["spec"]["serviceAccountName"]) in applied
    for pod, container in pods():
        assert all(("ConfigMap", each["configMapRef"]["name"]) in applied for each in container["envFrom"])
        assert {each["valueFrom"]["secretKeyRef"]["name"] for each in container["env"]} <= MADE_BY_HAND
        assert {each["secret"]["secretName"] for each in pod.get("volumes", ()) if "secret" in each} <= MADE_BY_HAND


def test_one_worker_at_a_time_is_taken_away(deployment: dict[str, Any]) -> None:
    """There are several, and neither a new version nor a drained node leaves the connections to nobody."""
    assert deployment["replicas"] > 1
    assert deployment["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    assert documents()["PodDisruptionBudget", "google-drive-worker"]["spec"]["maxUnavailable"] == 1
