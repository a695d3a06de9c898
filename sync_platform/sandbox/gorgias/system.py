"""The twin of Gorgias: one account on loopback, built from published behaviour alone.

What the documentation or recordings do not settle is a switch (`switches`). Paths that are not served answer
501 with their name (`unserved`).
"""

# ruff: noqa: S608 - statements are put together from this package's own table and column names; values are bound

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from sync_platform.sandbox.gorgias import (
    calling,
    custom_fields,
    desk,
    integrations,
    jobs,
    macros,
    messages,
    phone,
    rules,
    settings,
    snooze,
    teams,
    views,
    widgets,
)
from sync_platform.sandbox.gorgias import switches as gorgias_switches
from sync_platform.sandbox.gorgias.access import Access
from sync_platform.sandbox.gorgias.app import GorgiasApp
from sync_platform.sandbox.gorgias.calling import Calling
from sync_platform.sandbox.gorgias.custom_values import CustomFieldCalls
from sync_platform.sandbox.gorgias.customer_calls import CustomerCalls
from sync_platform.sandbox.gorgias.delivery import Deliveries
from sync_platform.sandbox.gorgias.description import Describing
from sync_platform.sandbox.gorgias.fields import Invalid
from sync_platform.sandbox.gorgias.http import ApiError, Limits, Routes
from sync_platform.sandbox.gorgias.integrations import IntegrationCalls
from sync_platform.sandbox.gorgias.jobs import JobCalls
from sync_platform.sandbox.gorgias.lookup import SearchCalls
from sync_platform.sandbox.gorgias.macros import MacroCalls
from sync_platform.sandbox.gorgias.other_calls import DOMAIN, OtherCalls
from sync_platform.sandbox.gorgias.phone import PhoneCalls
from sync_platform.sandbox.gorgias.rules import RuleCalls, TagOnCreate
from sync_platform.sandbox.gorgias.seed import Seeder, staff
from sync_platform.sandbox.gorgias.settings import SettingCalls
from sync_platform.sandbox.gorgias.store import Store
from sync_platform.sandbox.gorgias.team_calls import TeamCalls
from sync_platform.sandbox.gorgias.ticket_calls import TicketCalls
from sync_platform.sandbox.gorgias.unserved import UnservedCalls
from sync_platform.sandbox.gorgias.users import UserCalls
from sync_platform.sandbox.gorgias.view_items import ViewCalls
from sync_platform.sandbox.gorgias.widgets import WidgetCalls
from sync_platform.sandbox.people import Agent, Case, Person
from sync_platform.sandbox.world import World

RESOURCES = (calling, integrations, jobs, macros, phone, rules, settings, widgets)


class GorgiasSandbox:
    """The account's rows, its HTTP application, and what the control port does with them."""

    kinds: tuple[str, ...] = (
        "customers", "tickets", "messages", "events", "tags", "users", "surveys", "teams", "views", "custom_fields",
        "integrations", "integration_calls", "rules", "macros", "widgets", "jobs", "voice_calls",
    )  # fmt: skip

    def __init__(self, world: World) -> None:
        self._world = world
        gorgias_switches.register(world.switches)
        self._store = Store(world.data_dir / "gorgias.db", world)
        self._access = Access(self._store, world.seed)
        self._limits = Limits(world)
        for resource in RESOURCES:
            resource.prepare(self._store)
        self._calling = Calling(self._store)
        self._calling.followers.append(TagOnCreate(self._store).follow)
        self._store.watch = self._calling
        self._deliveries = Deliveries(self._store, self._calling, self._access.email)
        for part in (custom_fields, teams, views, snooze):
            part.prepare(self._store)
        self._start()

    def _start(self) -> None:
        """The account's own facts and users, unless the file has them already."""
        with self._store.writing():
            if self._store.fact("created") is None:
                self._store.set_fact("created", str(self._store.now() - 365 * 86_400_000_000))
            self._access.user_id = staff(self._store, self._access.email)
            custom_fields.defaults(self._store)
            views.defaults(self._store)

    def app(self) -> Describing:
        """The vendor's API as an ASGI application, with its description."""
        routes: Routes = {}
        for calls in (CustomerCalls(self._store), TicketCalls(self._store), OtherCalls(self._store)):
            calls.register(routes)
        for objects in (UserCalls, TeamCalls, ViewCalls, CustomFieldCalls):
            objects(self._store).register(routes)
        for plain in (IntegrationCalls, MacroCalls, RuleCalls, WidgetCalls, JobCalls, PhoneCalls):
            plain(self._store).register(routes)
        for other in (SearchCalls, SettingCalls, UnservedCalls):
            other(self._store).register(routes)
        return Describing(GorgiasApp(self._store, self._access, self._limits, routes), routes)

    def credentials(self) -> dict[str, Any]:
        """email, api_key, client_id, client_secret."""
        gate = self._access
        return {
            "email": gate.email,
            "api_key": gate.api_key,
            "client_id": gate.client_id,
            "client_secret": gate.client_secret,
        }

    def seed(self, people: Iterable[Person], cases: Iterable[Case], agents: Iterable[Agent]) -> None:
        """Fill the empty store in bulk with those who exist in Gorgias at the start."""
        Seeder(self._store).run(people, cases, agents)
        phone.seed(self._store)

    def state(self, kind: str, after: str | None, limit: int) -> tuple[list[dict[str, Any]], str | None]:
        """Rows in full vendor form by ascending id; deleted ones have `deleted_at`. KeyError: unknown kind."""
        self._settle()
        return desk.state(self._store, self._kind(kind), after, limit)

    def edit(self, kind: str, id: str | None, set: dict[str, Any], delete: bool, by: str) -> dict[str, Any]:
        """Change, create (no id) or delete a row as a person in the UI.

        Raises KeyError for an unknown kind or id, ValueError for bad input.
        """
        self._settle()
        actor = desk.person(self._store, by, self._access.user_id)
        with _plainly():
            number = None if id is None else _number(id)
            return desk.edit(self._store, self._kind(kind), number, set, delete=delete, actor=actor)

    def merge(self, kind: str, from_id: str, into_id: str) -> dict[str, Any]:
        """Merge two customers or two tags as a person in the UI; gives the survivor."""
        actor = desk.person(self._store, "person", self._access.user_id)
        with _plainly():
            return desk.merge(self._store, self._kind(kind), _number(from_id), _number(into_id), actor)

    def reset(self) -> None:
        """Empty the store; credentials and tokens stay."""
        with self._store.writing():
            for table in self._store.row_tables:
                self._store.run(f"DELETE FROM {table}")
            self._store.run("DELETE FROM facts WHERE name = 'last_channels'")
        self._store.forget_ids()
        self._store.chores.clear()
        self._calling.refresh()
        self._deliveries.forget()
        self._limits.clear()
        self._start()

    async def call_out(self) -> None:
        """Carry out calls to other servers as they fall due, until cancelled."""
        await asyncio.gather(snooze.run(self._store), self._deliveries.run())

    def identity(self) -> str:
        """The account's domain."""
        return DOMAIN

    def close(self) -> None:
        """Close the database file."""
        self._store.db.close()

    def _settle(self) -> None:
        if self._store.unsent:
            messages.settle(self._store)
        if self._store.chores:
            self._store.do_chores()

    def _kind(self, kind: str) -> str:
        if kind not in self.kinds:
            raise KeyError(f"unknown kind {kind!r}; known: {', '.join(self.kinds)}")
        return kind


@contextmanager
def _plainly() -> Iterator[None]:
    """Turns the API's refusals into KeyError (unknown id) and ValueError (bad input)."""
    try:
        yield
    except Invalid as error:
        raise ValueError(f"bad input: {error.messages}") from None
    except ApiError as error:
        if error.status in (301, 404):
            raise KeyError("no such row") from None
        raise ValueError(error.msg) from None


def _number(text: str) -> int:
    digits = str(text)  # JSON callers may send a number
    if digits.isascii() and digits.isdigit() and len(digits) <= 18:
        return int(digits)
    raise KeyError(f"no such row: {text!r}")
