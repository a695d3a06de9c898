"""Gorgias behind the protocol, against its twin: the shared exam, then what is particular to it."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import pytest

from sync_platform.connectors.gorgias import GorgiasConnector
from sync_platform.connectors.http import BasicCredentials
from sync_platform.connectors.protocol import Connector
from sync_platform.core.records import Entity, Json
from tests.connectors.conftest import GorgiasTwin
from tests.connectors.contract import CANARY, Bench, FreeMeter, SystemContract


class GorgiasBench(Bench):
    """The twin of Gorgias."""

    def __init__(self, twin: GorgiasTwin, meter: FreeMeter) -> None:
        self.twin = twin
        self.meter = meter
        given = twin.credentials
        self.connector = GorgiasConnector(twin.url, BasicCredentials(lambda: (given["email"], given["api_key"])), meter)

    def ids(self, entity: Entity) -> set[str]:
        return set(self.twin.rows(self.kind(entity)))

    def kind(self, entity: Entity) -> str:
        return "customers" if entity is Entity.CUSTOMER else "tickets"

    def attribute(self, entity: Entity) -> str:
        return "name" if entity is Entity.CUSTOMER else "subject"

    def edit(self, entity: Entity, external_id: str, value: str) -> None:
        self.twin.edit(self.kind(entity), external_id, **{self.attribute(entity): value})

    def fresh(self, entity: Entity) -> dict[str, Json]:
        word = uuid4().hex[:10]
        if entity is Entity.CUSTOMER:
            digits = str(int(word, 16) % 10**7).rjust(7, "0")
            return {
                "email": f"{word}@example.com",
                "emails": [f"{word}@example.org"],
                "phones": [f"+1415{digits}"],
                "name": f"Person {word}",
                "language": "de",
                "note": "prefers letters",
                "sync.company": "Example Works",
                "sync.customer_no": f"C-{word}",
                "sync.marketing_opt_out": True,
                "sync.lifetime_value": "12.50",
                "sync.order_count": 3,
            }
        return {
            "subject": f"Question {word}",
            "status": "open",
            "priority": "high",
            "channel": "email",
            "tags": ["invoice", "vip"],
            "customer_id": self.existing(Entity.CUSTOMER),
            "created_datetime": "2026-03-08T01:59:59.000000+00:00",
        }

    def refused(self, entity: Entity) -> tuple[str, Json] | None:
        return ("language", CANARY) if entity is Entity.CUSTOMER else ("priority", CANARY)

    def listing(self, entity: Entity) -> str:
        return self.kind(entity)

    def deltas(self, entity: Entity) -> tuple[str, ...]:
        return ("customers",) if entity is Entity.CUSTOMER else ("tickets", "messages", "surveys", "events")


@pytest.fixture
def bench(gorgias_twin: GorgiasTwin, meter: FreeMeter) -> Iterator[GorgiasBench]:
    made = GorgiasBench(gorgias_twin, meter)
    yield made
    made.connector.close()


class TestGorgiasContract(SystemContract):
    """The exam of every side."""


def test_it_is_a_connector(bench: GorgiasBench) -> None:
    assert isinstance(bench.connector, Connector)
