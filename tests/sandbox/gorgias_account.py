"""A Gorgias account for tests: the twin's application on a port, and a synchronous client with the API key."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from sync_platform.sandbox.gorgias.system import GorgiasSandbox
from sync_platform.sandbox.serving import listening, server, url_of
from sync_platform.sandbox.world import World


class Account:
    """The twin, its world, and a client with the API key of the address at which it is served."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.url = ""
        self.side = GorgiasSandbox(world)
        self.app = self.side.app()
        self.keys = self.side.credentials()
        self.http: httpx.Client

    def client(self, **more: Any) -> httpx.Client:
        return httpx.Client(base_url=self.url, **more)

    def switch(self, **values: Any) -> None:
        self.world.switches.update({f"gorgias.{name}": value for name, value in values.items()})

    def call(self, method: str, path: str, body: Any = None, status: int = 200, **more: Any) -> Any:
        """The JSON of an answer that must have this status."""
        answer = self.http.request(method, f"/api/{path}", json=body, **more)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None

    def get(self, path: str, status: int = 200, **params: Any) -> Any:
        return self.call("GET", path, status=status, params=params or None)

    def post(self, path: str, body: Any, status: int = 201) -> Any:
        return self.call("POST", path, body, status)

    def put(self, path: str, body: Any, status: int = 200) -> Any:
        return self.call("PUT", path, body, status)

    def delete(self, path: str, body: Any = None, status: int = 204) -> Any:
        return self.call("DELETE", path, body, status)

    def customer(self, email: str = "ada@example.com", phone: str | None = None, **more: Any) -> Any:
        channels = [{"type": "email", "address": email, "preferred": True}]
        channels += [{"type": "phone", "address": phone, "preferred": True}] if phone else []
        return self.post("customers", {"channels": channels, **more})

    def ticket(self, customer_id: int, **more: Any) -> Any:
        message = {
            "channel": "api",
            "via": "api",
            "from_agent": False,
            "sender": {"id": customer_id},
            "body_text": "Hi",
        }
        return self.post("tickets", {"customer": {"id": customer_id}, "messages": [message], **more})

    def walk(self, path: str, **params: Any) -> list[Any]:
        """All rows of a list, by its cursors."""
        rows: list[Any] = []
        cursor = None
        while True:
            page = self.get(path, **params, **({"cursor": cursor} if cursor else {}))
            rows += page["data"]
            cursor = page["meta"]["next_cursor"]
            if cursor is None:
                return rows

    def events(self) -> list[tuple[str, int]]:
        rows, _ = self.side.state("events", None, 10_000)
        return [(row["type"], row["object_id"]) for row in rows]


@contextmanager
def served(account: Account) -> Iterator[Account]:
    """Serve an account's application on a port of its own."""
    with listening("gorgias", 0) as sock:
        one = server(account.app)
        thread = threading.Thread(target=lambda: asyncio.run(one.serve([sock])), daemon=True)
        thread.start()
        account.url = url_of(sock)
        try:
            with account.client(auth=(account.keys["email"], account.keys["api_key"])) as account.http:
                yield account
        finally:
            one.should_exit = True
            thread.join(10)
            account.side.close()


@contextmanager
def opened(world: World) -> Iterator[Account]:
    """An empty account at 100 times the limits."""
    world.rate_scale = 100.0
    with served(Account(world)) as account:
        yield account
