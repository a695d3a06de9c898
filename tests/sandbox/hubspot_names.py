"""What the golden calls of HubSpot's twin name in braces, made fresh for each call: {contact}, {ticket}, {code}…

A factory here is called once per call of a golden file; what it makes beside its own name (`linked_ticket` beside
`linked_contact`) is kept for that call.
"""

from collections.abc import Callable
from itertools import count
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx

from tests.sandbox.hubspot_account import Account

JOURNAL = "/webhooks-journal/journal/2026-03"
SUBSCRIPTIONS = "/webhooks-journal/subscriptions/2026-03"
BACK = "http://127.0.0.1:9/back"
SCOPES = "developer.webhooks_journal.read developer.webhooks_journal.subscriptions.write"
CUSTOM = {
    "labels": {"singular": "Machine", "plural": "Machines"},
    "requiredProperties": ["serial"],
    "properties": [{"name": "serial", "label": "Serial", "type": "string", "fieldType": "text"}],
}


class Names:
    """The values for one call."""

    numbers = count(1)

    def __init__(self, account: Account, app: httpx.Client) -> None:
        self._account = account
        self._journal = app
        self._known: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._known:
            make: Callable[[], Any] = getattr(self, f"_{name}")
            self._known.setdefault(name, make())
        return self._known[name]

    # words

    def _word(self) -> str:
        return f"golden_{next(self.numbers)}"

    def _email(self) -> str:
        return f"golden.{next(self.numbers)}@example.com"

    def _long(self) -> str:
        return "x" * 16_000

    # records

    def _contact(self) -> str:
        made: str = self._account.contact(firstname="Ada", email=self._email())["id"]
        return made

    _other = _contact

    def _contact_number(self) -> int:
        return int(self["contact"])

    def _ticket(self) -> str:
        made: str = self._account.ticket(subject="Lamp")["id"]
        return made

    def _company(self) -> str:
        made: str = self._account.make("companies", name="Example Works")["id"]
        return made

    def _note(self) -> str:
        made: str = self._account.make("notes", hs_timestamp="2026-01-05T10:00:00Z")["id"]
        return made

    def _archived(self) -> str:
        id_ = self._contact()
        self._account.call("DELETE", f"/crm/v3/objects/contacts/{id_}", status=204)
        return id_

    def _linked_contact(self) -> str:
        contact, ticket = self._contact(), self._ticket()
        path = f"/crm/v4/objects/contacts/{contact}/associations/default/tickets/{ticket}"
        self._account.call("PUT", path)
        self._known["linked_ticket"] = ticket
        return contact

    def _taken_email(self) -> str:
        address = self._email()
        self._account.contact(email=address)
        return address

    def _twice_addressed(self) -> str:
        contact, address = self._contact(), self._email()
        self._account.call("PUT", f"/contacts/v1/secondary-email/{contact}/email/{address}")
        self._known["second_address"] = address
        return contact

    # settings

    def _label(self) -> int:
        word = self._word()
        made = self._account.post("/crm/v4/associations/contacts/tickets/labels", {"label": word, "name": word})
        type_id: int = made["results"][0]["typeId"]
        return type_id

    def _property(self) -> str:
        name = self._word()
        body = {"name": name, "label": name, "type": "string", "fieldType": "text", "groupName": "contactinformation"}
        self._account.post("/crm/v3/properties/contacts", body, 201)
        return name

    def _group(self) -> str:
        name = self._word()
        self._account.post("/crm/v3/properties/contacts/groups", {"name": name, "label": name}, 201)
        return name

    def _pipeline(self) -> str:
        stages = [{"label": label, "displayOrder": n} for n, label in enumerate(("Open", "Later"))]
        body = {"label": self._word(), "displayOrder": 2, "stages": stages}
        made = self._account.post("/crm/v3/pipelines/tickets", body, 201)
        self._known["stage"] = made["stages"][0]["id"]
        id_: str = made["id"]
        return id_

    def _changed_stage(self) -> str:
        path = f"/crm/v3/pipelines/tickets/{self['pipeline']}/stages/{self['stage']}"
        self._account.call("PATCH", path, {"label": "Other"})
        return str(self["stage"])

    def _owner(self) -> str:
        given = {"email": self._email(), "firstName": "Ann", "teams": [{"id": "1", "name": "Support", "primary": True}]}
        made: str = self._account.side.edit("owners", None, given, False, "admin")["id"]
        return made

    _owner_too = _owner

    def _custom_type(self) -> str:
        self.clear_types()
        made: str = self._account.post("/crm/v3/schemas", {"name": self._word(), **CUSTOM}, 201)["objectTypeId"]
        return made

    def clear_types(self) -> None:
        """There can be ten at most."""
        for row in self._account.get("/crm/v3/schemas")["results"]:
            self._account.call("DELETE", f"/crm/v3/schemas/{row['objectTypeId']}", status=204)

    # credentials

    def _portal(self) -> int:
        return self._account.side.portal_id

    def _portal_token(self) -> str:
        return str(self._account.side.credentials()["access_token"])

    def _client_id(self) -> str:
        return str(self._account.side.credentials()["client_id"])

    def _client_secret(self) -> str:
        return str(self._account.side.credentials()["client_secret"])

    def _developer_key(self) -> str:
        return str(self._account.side.credentials()["developer_api_key"])

    def _code(self) -> str:
        params = {"client_id": self["client_id"], "redirect_uri": BACK, "scope": "crm.objects.contacts.read"}
        answer = self._account.http.get("/oauth/authorize", params=params)
        return parse_qs(urlsplit(answer.headers["location"]).query)["code"][0]

    def _refresh_token(self) -> str:
        form = {"client_id": self["client_id"], "client_secret": self["client_secret"], "redirect_uri": BACK}
        form |= {"grant_type": "authorization_code", "code": self._code()}
        made = self._account.http.post("/oauth/v1/token", data=form).json()
        self._known["access_token"] = made["access_token"]
        return str(made["refresh_token"])

    def _access_token(self) -> str:
        self["refresh_token"]
        return str(self._known["access_token"])

    # webhooks and the journal

    def _app(self) -> int:
        """The app's id; its webhook settings are there."""
        settings = {"targetUrl": "https://hooks.example.com/in"}
        app_id = self._account.side.app_id
        self._account.call("PUT", f"/webhooks/v3/{app_id}/settings?hapikey={self['developer_key']}", settings)
        return app_id

    def _subscription(self) -> int:
        body = {"eventType": "contact.propertyChange", "propertyName": self._word()}
        path = f"/webhooks/v3/{self['app']}/subscriptions?hapikey={self['developer_key']}"
        return int(self._account.post(path, body, 201)["id"])

    def _journal_subscription(self) -> int:
        body = {"subscriptionType": "OBJECT", "objectTypeId": "0-1", "actions": []}
        made: int = self._journal.post(SUBSCRIPTIONS, json=body).raise_for_status().json()["id"]
        return made

    def _published(self) -> dict[str, Any]:
        """The newest entry of the journal, about a contact that was just made."""
        self["journal_subscription"]
        self._contact()
        found: dict[str, Any] = self._journal.get(f"{JOURNAL}/latest").raise_for_status().json()
        return found

    def _offset(self) -> str:
        entry = self._published()
        self._known["signed"] = urlsplit(entry["url"]).query
        return str(entry["currentOffset"])

    def _offset_after(self) -> str:
        """An entry after {offset}."""
        self["offset"]
        return str(self._published()["currentOffset"])

    def _filter(self) -> int:
        condition = {"property": "firstname", "operator": "EQ", "value": "Ada"}
        body = {"subscriptionId": self["journal_subscription"], "filter": {"conditions": [condition]}}
        made: int = self._journal.post(f"{SUBSCRIPTIONS}/filters", json=body).raise_for_status().json()["filterId"]
        return made

    def _filtered_subscription(self) -> int:
        self["filter"]
        return int(self["journal_subscription"])

    def _snapshot(self) -> str:
        wanted = {"portalId": self["portal"], "objectTypeId": "0-1", "objectId": self["contact_number"]}
        body = {"snapshotRequests": [{**wanted, "properties": ["firstname"]}]}
        answer = self._journal.post("/webhooks-journal/snapshots/2026-03/crm", json=body).raise_for_status().json()
        return str(answer["snapshotResponses"][0]["snapshotStatusId"])
