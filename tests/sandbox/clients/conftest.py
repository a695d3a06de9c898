"""A fresh sandbox for each client, reached as its ready line says."""

from collections.abc import Iterator

import httpx
import pytest

from sync_platform.sandbox.server import Options, running
from tests.sandbox.clients.twin import Twin, twin_of, undescribed


@pytest.fixture
def twin(tmp_path) -> Iterator[Twin]:
    """HubSpot's side of a fresh sandbox of 40 people and 60 tickets, limits widened: the client under test is busy."""
    options = Options(
        customers=40,
        tickets=60,
        rate_scale=100,
        data_dir=tmp_path / "sandbox",
        gorgias_port=0,
        hubspot_port=0,
        control_port=0,
    )
    with running(options) as ready, twin_of(ready) as one:
        yield one
        told = httpx.get(f"{one.url}/openapi.json", timeout=30).json()
        assert undescribed(told, one.calls()) == []  # whatever a client called and got, the twin says that it has it
