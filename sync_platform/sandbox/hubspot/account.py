"""Pipelines and their stages, owners, account details, token info, and the legacy calls for secondary e-mails.

Facts: pipelines aren't paged, metadata values are strings, deleting one in use is refused [doc]; an owner's id isn't
his user id [doc]; `appId` of the token info is what history shows as sourceId [code]. The body of the legacy secondary
e-mail calls isn't established: an object with `vid`, `email` and `secondary-emails` here.
"""

# ruff: noqa: S608 - statements are put together from this package's own table and column names; values are bound

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sync_platform.sandbox.hubspot.audits import Audits
from sync_platform.sandbox.hubspot.kinds import CONTACTS, DEALS, Kind
from sync_platform.sandbox.hubspot.oauth import SCOPES
from sync_platform.sandbox.hubspot.objects import Objects
from sync_platform.sandbox.hubspot.records import Records
from sync_platform.sandbox.hubspot.store import LIVE
from sync_platform.sandbox.hubspot.values import ValueProblem, email, invalid
from sync_platform.sandbox.hubspot.versions import NEWEST
from sync_platform.sandbox.hubspot.wire import Answer, Call, as_id, not_found, record_id, refuse, stamp

ZONE = "America/New_York"
Doc = dict[str, Any]


def zone() -> ZoneInfo | None:
    """The account's time zone; None (UTC) where the machine has no zone data."""
    try:
        return ZoneInfo(ZONE)
    except ZoneInfoNotFoundError:
        return None


class Pipelines:
    """Serves /pipelines/{type}…."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._schema = records.schema
        self._audits = Audits(records.store, records.portal_id)

    def serve(self, call: Call, kind: Kind, rest: Sequence[str]) -> Answer:
        """Serve what is below /pipelines/{type}. Raises Refusal."""
        if call.method == "GET" and rest[-1:] == ["audit"]:
            return self._audits.page(kind, rest[:-1], known=self._known(kind, rest[:-1]))
        answer = self._serve(call, kind, rest)
        if call.method != "GET":
            self._audits.note(call.method, kind, rest, answer.body, call.now_ms)
        return answer

    def _known(self, kind: Kind, rest: Sequence[str]) -> bool:
        match rest:
            case (line,):
                return line in self._schema.pipelines[kind.name]
            case (line, "stages", stage):
                return self._schema.stage(kind, line, stage) is not None
        return False

    def _serve(self, call: Call, kind: Kind, rest: Sequence[str]) -> Answer:
        lines = self._schema.pipelines[kind.name]
        match (call.method, *rest):
            case ("GET",):
                return Answer(200, {"results": sorted(lines.values(), key=lambda doc: doc["displayOrder"])})
            case ("POST",):
                return self._create(call, kind)
            case (_, id_, *more):
                if id_ not in lines:
                    raise not_found()
                if more and more[0] == "stages":
                    return self._stages(call, kind, lines[id_], more[1:])
                if not more:
                    return self._one(call, kind, lines[id_])
        raise not_found()

    def _create(self, call: Call, kind: Kind) -> Answer:
        if kind.line_names is None:
            refuse(400, f"{kind.upper} can't have pipelines", "VALIDATION_ERROR")
        given = call.fields("label", "displayOrder", "stages")
        at = stamp(call.now_ms)
        doc = {
            "id": str(given.get("pipelineId") or self._next()),
            "label": given["label"],
            "displayOrder": given["displayOrder"],
            "createdAt": at,
            "updatedAt": at,
            "archived": False,
            "stages": [],
        }
        for stage in given["stages"]:
            doc["stages"].append(self._stage_doc(call, kind, stage, len(doc["stages"])))
        self._put(kind, doc)
        return Answer(201, doc)

    def _next(self) -> str:
        used = [int(id_) for lines in self._schema.pipelines.values() for id_ in lines if id_.isdigit()]
        stages = [
            int(stage["id"])
            for lines in self._schema.pipelines.values()
            for line in lines.values()
            for stage in line["stages"]
            if stage["id"].isdigit()
        ]
        return str(max([*used, *stages, 71_000_000]) + 1)

    def _stage_doc(self, call: Call, kind: Kind, given: Doc, n: int) -> Doc:
        if not isinstance(given, dict) or not given.get("label"):
            refuse(400, "Invalid input JSON: some of required attributes are not set [label]", "VALIDATION_ERROR")
        metadata = _metadata(kind, given.get("metadata") or {})
        at = stamp(call.now_ms)
        return {
            "id": str(given.get("stageId") or int(self._next()) + n),
            "label": given["label"],
            "displayOrder": given.get("displayOrder", n),
            "metadata": metadata,
            "createdAt": at,
            "updatedAt": at,
            "archived": False,
            "writePermissions": "CRM_PERMISSIONS_ENFORCEMENT",
        }

    def _put(self, kind: Kind, doc: Doc) -> None:
        with self._records.store.transaction():
            self._schema.put_pipeline(kind, doc)

    def _one(self, call: Call, kind: Kind, doc: Doc) -> Answer:
        if call.method == "GET":
            return Answer(200, doc)
        if call.method == "DELETE":
            self._refuse_in_use(call, kind, 0, doc["id"])
            with self._records.store.transaction():
                self._schema.drop_pipeline(kind, doc["id"])
            return Answer(204)
        given = call.fields(*(("label", "displayOrder", "stages") if call.method == "PUT" else ()))
        doc = {**doc, **{key: given[key] for key in ("label", "displayOrder") if key in given}}
        doc["updatedAt"] = stamp(call.now_ms)
        if call.method == "PUT":
            doc["stages"] = [self._stage_doc(call, kind, stage, n) for n, stage in enumerate(given.get("stages") or [])]
        self._put(kind, doc)
        return Answer(200, doc)

    def _refuse_in_use(self, call: Call, kind: Kind, part: int, value: str) -> None:
        """2026-09 refuses deleting what is in use [doc]; before, a parameter may ask for it, else the switch tells."""
        asked = call.flag("validateReferencesBeforeDelete") or call.version == NEWEST
        if not asked and self._records.switch("pipeline_delete_in_use") == "delete":
            return
        name = (kind.line_names or ("", ""))[part]
        used = self._records.store.db.execute(
            f"SELECT 1 FROM {kind.name} WHERE state={LIVE} AND json_extract(props,'$.{name}')=? LIMIT 1", (value,)
        ).fetchone()
        if used:
            refuse(400, f"{value} of {name} is in use and can't be deleted", "VALIDATION_ERROR")

    def _stages(self, call: Call, kind: Kind, line: Doc, rest: Sequence[str]) -> Answer:
        stages = line["stages"]
        if not rest:
            if call.method == "GET":
                return Answer(200, {"results": stages})
            new = self._stage_doc(call, kind, call.fields("label"), len(stages))
            self._put(kind, {**line, "stages": [*stages, new]})
            return Answer(201, new)
        old = next((stage for stage in stages if stage["id"] == rest[0]), None)
        if old is None:
            raise not_found()
        if call.method == "GET":
            return Answer(200, old)
        if call.method == "DELETE":
            self._refuse_in_use(call, kind, 1, old["id"])
            self._put(kind, {**line, "stages": [stage for stage in stages if stage is not old]})
            return Answer(204)
        given = call.fields(*(("label", "displayOrder", "metadata") if call.method == "PUT" else ()))
        new = self._stage_doc(call, kind, {**old, **given, "stageId": old["id"]}, old["displayOrder"])
        new["createdAt"] = old["createdAt"]
        self._put(kind, {**line, "stages": [new if stage is old else stage for stage in stages]})
        return Answer(200, new)


def _metadata(kind: Kind, given: Doc) -> dict[str, str]:
    """A stage's metadata: values are strings. Raises Refusal(400) for a deal stage without a probability."""
    if not isinstance(given, dict):
        refuse(400, "Invalid input JSON: metadata must be an object", "VALIDATION_ERROR")
    metadata = {key: str(value).lower() if isinstance(value, bool) else str(value) for key, value in given.items()}
    if kind is DEALS:
        if not re.fullmatch(r"0?\.\d+|0|1|1\.0+", metadata.get("probability", "")):
            refuse(400, "The probability of a deal stage must be from 0.0 to 1.0", "VALIDATION_ERROR")
        metadata.setdefault("isClosed", str(float(metadata["probability"]) in (0.0, 1.0)).lower())
        return metadata
    state = metadata.setdefault("ticketState", "OPEN")
    if state not in ("OPEN", "CLOSED"):
        refuse(400, "ticketState must be OPEN or CLOSED", "VALIDATION_ERROR")
    metadata["isClosed"] = "true" if state == "CLOSED" else "false"
    return metadata


class Account:
    """Serves owners, account details, token info and secondary e-mails."""

    def __init__(self, records: Records, objects: Objects, token: str, app_id: int) -> None:
        self._records = records
        self._objects = objects
        self._token = token
        self._app_id = app_id

    def owners(self, call: Call, rest: Sequence[str]) -> Answer:
        """GET /owners and /owners/{id}."""
        owners = self._records.schema.owners
        if rest:
            key = call.text("idProperty") or "id"
            if key not in ("id", "userId"):
                refuse(400, "idProperty must be id or userId", "VALIDATION_ERROR")
            # An archived owner has no user any more, but is found by the one that he was.
            key = "userIdIncludingInactive" if key == "userId" else key
            found = next((doc for doc in owners.values() if str(doc[key]) == rest[0]), None)
            if found is None or found["archived"] != call.flag("archived"):
                raise not_found()
            return Answer(200, found)
        address, after = (call.text("email") or "").lower(), call.text("after") or "0"
        rows = [
            doc
            for _, doc in sorted(owners.items(), key=lambda item: int(item[0]))
            if doc["archived"] == call.flag("archived")
            and (not address or doc["email"].lower() == address)
            and int(doc["id"]) >= (as_id(after) or 0)
        ]
        limit = call.number("limit", 100, self._records.switch("owners_limit_max"))
        body: Doc = {"results": rows[:limit]}
        if len(rows) > limit:
            following = rows[limit]["id"]
            body["paging"] = {"next": {"after": following, "link": call.link(following)}}
        return Answer(200, body)

    def details(self, call: Call) -> Answer:
        """GET /account-info/…/details."""
        place, now = zone() or UTC, datetime.fromtimestamp(call.now_ms / 1000, UTC)
        shift = now.astimezone(place).utcoffset()
        minutes = int(shift.total_seconds() // 60) if shift else 0
        body = {
            "portalId": self._records.portal_id,
            "accountType": "DEVELOPER_TEST",
            "timeZone": ZONE if place is not UTC else "UTC",
            "companyCurrency": "USD",
            "additionalCurrencies": [],
            "utcOffset": f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}",
            "utcOffsetMilliseconds": minutes * 60_000,
            "uiDomain": "app.hubspot.com",
            "dataHostingLocation": "na1",
        }
        return Answer(200, body)

    def scopes(self) -> list[str]:
        """What the token may do: everything but the switch `missing_scopes`."""
        missing = {part.strip() for part in self._records.switch("missing_scopes").split(",")}
        return [scope for scope in SCOPES if scope not in missing]

    def token_info(self, call: Call) -> Answer:
        """POST /oauth/v2/private-apps/get/access-token-info."""
        given = call.fields("tokenKey")
        if given["tokenKey"] != self._token:
            refuse(404, "No private app access token found for the given key", "OBJECT_NOT_FOUND")
        body = {
            "userId": 500_000,
            "hubId": self._records.portal_id,
            "appId": self._app_id,
            "scopes": self.scopes(),
            "signedAccessToken": None,
            "isUserLevel": False,
        }
        return Answer(200, body)

    def secondary(self, call: Call, rest: Sequence[str]) -> Answer:
        """PUT, DELETE /contacts/v1/secondary-email/{vid}/email/{email}; GET …/{vid}."""
        row = self._records.live(CONTACTS, record_id(rest[0]))
        others = [part for part in row.props.get("hs_additional_emails", "").split(";") if part]
        if len(rest) == 3 and rest[1] == "email" and call.method in ("PUT", "DELETE"):
            try:
                address = email(rest[2])
            except ValueProblem as problem:
                raise invalid([("email", problem.code, problem.message)], self._records.portal_id) from None
            if call.method == "DELETE" and address not in others:
                raise not_found()
            if call.method == "DELETE":
                others.remove(address)
            elif address not in (*others, row.props.get("email")):
                others.append(address)
            with self._records.store.transaction():
                changes = {"hs_additional_emails": ";".join(others)}
                self._records.change(row, changes, self._objects.source, call.now_ms, ui=True)
            if call.method == "DELETE":
                return Answer(204)
        elif len(rest) != 1 or call.method != "GET":
            raise not_found()
        return Answer(200, {"vid": row.id, "email": row.props.get("email"), "secondary-emails": others})
