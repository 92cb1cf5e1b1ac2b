"""Fixtures that the tests of odd answers share."""

from collections.abc import Iterator

import pytest

from support.odd_drives import OddStage, odd_stage
from support.topics import create_topics, delete_topics


@pytest.fixture(scope="module")
def _odd_stage(kafka_bootstrap: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OddStage]:
    topics = create_topics(kafka_bootstrap)
    with odd_stage(topics, tmp_path_factory.mktemp("odd")) as made:
        yield made
    delete_topics(topics)


@pytest.fixture
def odd(_odd_stage: OddStage) -> Iterator[OddStage]:
    """One worker behind the altering proxy for all tests of a file; no rule outlives its test."""
    yield _odd_stage
    _odd_stage.proxy.clear()
