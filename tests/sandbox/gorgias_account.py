"""A Gorgias account for tests: the twin's application behind a synchronous client, without a socket."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from sync_platform.sandbox.gorgias import GorgiasSandbox
from sync_platform.sandbox.world import World


class Direct(httpx.BaseTransport):
    """Hands each call of a synchronous client to the application."""

    def __init__(self, app: Any) -> None:
        self._inner = httpx.ASGITransport(app)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        async def call() -> httpx.Response:
            answer = await self._inner.handle_async_request(request)
            return httpx.Response(answer.status_code, headers=answer.headers, content=await answer.aread())

        return asyncio.run(call())


class Account:
    """The twin, its world, and a client with the API key."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.side = GorgiasSandbox(world)
        self.app = self.side.app()
        self.keys = self.side.credentials()
        self.http = self.client(auth=(self.keys["email"], self.keys["api_key"]))

    def client(self, **more: Any) -> httpx.Client:
        return httpx.Client(base_url="http://gorgias.test", transport=Direct(self.app), **more)

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
def opened(world: World) -> Iterator[Account]:
    """An empty account at 100 times the limits."""
    world.rate_scale = 100.0
    account = Account(world)
    try:
        yield account
    finally:
        account.http.close()
        account.side.close()
