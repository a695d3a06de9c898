"""A server that takes webhook calls, and a HubSpot twin that makes them."""

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx

from sync_platform.sandbox.hubspot.system import HubSpotSandbox
from sync_platform.sandbox.world import World

CONTACTS, TICKETS = "/crm/v3/objects/contacts", "/crm/v3/objects/tickets"


def until(true: Callable[[], Any], seconds: float = 10) -> Any:
    """Wait until `true()` is, and return it."""
    deadline = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < deadline, "the condition did not come about in time"
        time.sleep(0.005)
    return found


@dataclass
class Post:
    """One call that came in."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def events(self) -> list[dict[str, Any]]:
        return json.loads(self.body)


@dataclass
class Receiver:
    """Takes POSTs; answers with `statuses` in turn, then with 204; holds answers back while `gate` is closed."""

    url: str = ""
    posts: list[Post] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    always: int = 204
    gate: threading.Event = field(default_factory=threading.Event)
    inside: int = 0
    most_inside: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def events(self, type_: str | None = None) -> list[dict[str, Any]]:
        found = [event for post in list(self.posts) for event in post.events]
        return [event for event in found if type_ in (None, event["subscriptionType"])]


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver on a free port."""
    receiver = Receiver()
    receiver.gate.set()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            with receiver.lock:
                receiver.posts.append(Post(self.path, {k.lower(): v for k, v in self.headers.items()}, body))
                receiver.inside += 1
                receiver.most_inside = max(receiver.most_inside, receiver.inside)
                status = receiver.statuses.pop(0) if receiver.statuses else receiver.always
            receiver.gate.wait(20)
            with receiver.lock:
                receiver.inside -= 1
            try:
                self.send_response(status)
                self.send_header("content-length", "0")
                self.end_headers()
            except OSError:
                pass  # the caller has hung up

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    receiver.url = f"http://127.0.0.1:{server.server_address[1]}/hooks?from=hubspot"
    try:
        yield receiver
    finally:
        receiver.gate.set()
        server.shutdown()
        server.server_close()
        thread.join(5)


@contextmanager
def calling_out(side: HubSpotSandbox) -> Iterator[None]:
    """Let the twin call out in a thread of its own, as the sandbox's server does."""
    loop = asyncio.new_event_loop()
    task = loop.create_task(side.call_out())
    trouble: list[BaseException] = []

    def work() -> None:
        try:
            loop.run_until_complete(task)
        except asyncio.CancelledError:
            pass
        except BaseException as error:  # noqa: BLE001 - raised again in the test's thread
            trouble.append(error)
        finally:
            loop.close()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield
    finally:
        if not loop.is_closed():
            loop.call_soon_threadsafe(task.cancel)
        thread.join(10)
        assert not thread.is_alive()
        if trouble:
            raise trouble[0]


@dataclass
class App:
    """A served twin, a client with its token, and an app's developer key."""

    world: World
    side: HubSpotSandbox
    http: httpx.Client
    receiver: Receiver

    @property
    def base(self) -> str:
        return f"/webhooks/v3/{self.side.app_id}"

    @property
    def key(self) -> dict[str, str]:
        return {"hapikey": self.side.credentials()["developer_api_key"]}

    def set(self, **switches: Any) -> None:
        self.world.switches.update({f"hubspot.{name}": value for name, value in switches.items()})

    def call(self, method: str, path: str, body: Any = None, status: int = 200) -> Any:
        answer = self.http.request(method, path, params=self.key, json=body)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None

    def listen(self, *types: Any, concurrent: int = 10) -> list[int]:
        """Settings, and an active subscription for each type ("a.propertyChange:name"); their ids."""
        throttling = {"maxConcurrentRequests": concurrent}
        self.call("PUT", f"{self.base}/settings", {"targetUrl": self.receiver.url, "throttling": throttling})
        ids = []
        for type_ in types:
            event, _, name = type_.partition(":")
            more = {"objectTypeId" if event.startswith("object.") else "propertyName": name} if name else {}
            if event == "object.propertyChange":
                more = dict(zip(("objectTypeId", "propertyName"), name.split(":"), strict=True))
            row = self.call("POST", f"{self.base}/subscriptions", {"eventType": event, **more}, 201)
            ids.append(int(row["id"]))
        inputs = [{"id": id_, "active": True} for id_ in ids]
        self.call("POST", f"{self.base}/subscriptions/batch/update", {"inputs": inputs})
        return ids

    def create(self, path: str, **props: Any) -> str:
        answer = self.http.post(path, json={"properties": props})
        assert answer.status_code == 201, answer.text
        return answer.json()["id"]

    def change(self, path: str, id_: str, **props: Any) -> None:
        assert self.http.patch(f"{path}/{id_}", json={"properties": props}).status_code == 200

    def got(self, count: int, type_: str | None = None) -> list[dict[str, Any]]:
        """The events that came, once there are so many."""
        until(lambda: len(self.receiver.events(type_)) >= count)
        found = self.receiver.events(type_)
        assert len(found) == count
        return found

    def waiting(self) -> list[dict[str, Any]]:
        return self.side.state("webhook_events", None, 1000)[0]

    def calls(self) -> list[dict[str, Any]]:
        return self.side.state("webhook_calls", None, 1000)[0]


@contextmanager
def app(path: Path, serve_app: Callable[[Any], str], receiver: Receiver, *, out: bool = True) -> Iterator[App]:
    """A twin at plain webhook switches: at once, in order, once."""
    world = World(path, seed=1, rate_scale=100)
    side = HubSpotSandbox(world)
    names = ("webhook_delay_s", "webhook_late_share", "webhook_duplicate_share", "webhook_event_id_reuse")
    world.switches.update({f"hubspot.{name}": 0 for name in (*names, "webhook_cache_s", "search_lag_s")})
    token = side.credentials()["access_token"]
    with httpx.Client(base_url=serve_app(side.app()), headers={"authorization": f"Bearer {token}"}) as client:
        found = App(world, side, client, receiver)
        if out:
            with calling_out(side):
                yield found
        else:
            yield found
    side.close()
