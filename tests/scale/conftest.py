"""Fixtures for fleets: topics wide enough to be shared out."""

from collections.abc import Iterator

import pytest

from support.topics import Topics, create_topics, delete_topics


@pytest.fixture
def wide_topics(kafka_bootstrap: str) -> Iterator[Topics]:
    """The platform's topics as in `topics`, but of eight partitions, so that several workers have some each."""
    made = create_topics(kafka_bootstrap, partitions=8)
    yield made
    delete_topics(made)
