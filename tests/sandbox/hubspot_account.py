"""A served HubSpot twin for the tests, with a client that has its token."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx

from sync_platform.sandbox.hubspot.system import HubSpotSandbox
from sync_platform.sandbox.world import World

CONTACTS = "/crm/v3/objects/contacts"
TICKETS = "/crm/v3/objects/tickets"


@dataclass
class Account:
    """One account over HTTP; `side` is what the control port holds."""

    world: World
    side: HubSpotSandbox
    http: httpx.Client

    def call(self, method, path, body=None, status=200, **more):
        """One call; the JSON of its answer, None for an empty one."""
        answer = self.http.request(method, path, json=body, **more)
        assert answer.status_code == status, (answer.status_code, answer.text)
        return answer.json() if answer.content else None

    def get(self, path, status=200, **params):
        return self.call("GET", path, status=status, params=params)

    def post(self, path, body, status=200):
        return self.call("POST", path, body, status)

    def make(self, kind, status=201, **props):
        return self.post(f"/crm/v3/objects/{kind}", {"properties": props}, status)

    def contact(self, **props):
        return self.make("contacts", **props)

    def ticket(self, **props):
        return self.make("tickets", **{"hs_pipeline_stage": "1", **props})

    def set(self, **switches):
        self.world.switches.update({f"hubspot.{name}": value for name, value in switches.items()})


@contextmanager
def served_account(tmp_path, serve_app: Callable[..., str], **options) -> Iterator[Account]:
    """An empty account without lags, its limits a hundredfold unless said otherwise."""
    world = World(tmp_path, seed=1, **{"rate_scale": 100.0, **options})
    side = HubSpotSandbox(world)
    world.switches.update({"hubspot.property_delay_s": 0, "hubspot.search_lag_s": 0})
    token = side.credentials()["access_token"]
    with httpx.Client(base_url=serve_app(side.app()), headers={"authorization": f"Bearer {token}"}) as client:
        yield Account(world, side, client)
    side.close()
