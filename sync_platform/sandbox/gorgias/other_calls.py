"""The HTTP calls on the account, events, tags and satisfaction surveys."""

from sync_platform.sandbox.gorgias import fields, rules, settings, surveys, tags
from sync_platform.sandbox.gorgias.customer_calls import put_reply
from sync_platform.sandbox.gorgias.http import Contract, Reply, Request, Routes, add, dump, not_found, ok
from sync_platform.sandbox.gorgias.store import Actor, Sort, Store, conflict, envelope, paging, short_list, sorts, stamp

DOMAIN = "sandbox"
ROLES = ("admin", "agent", "basic-agent", "bot", "internal-agent", "lite-agent", "observer-agent")
EVENT_ORDERS = {**sorts("created"), "created_datetime": Sort(("created",), False)}  # the bare name is deprecated
SURVEY_ORDERS = sorts("created")
TAG_ORDERS = {
    **sorts("created"),
    "name:asc": Sort(("name",), False),
    "name:desc": Sort(("name",), True),
    # Bare usage orders are refused [seen live].
    "usage:asc,name:asc": Sort(("usage", "name"), False),
    "usage:desc,name:desc": Sort(("usage", "name"), True),
}
OBJECT_TYPES = fields.words(
    "Account Macro Tag Customer Team View Widget User TicketMessage Ticket Rule Integration SatisfactionSurvey "
    "AccountSetting CustomField CustomFieldCondition CustomUserAvailabilityStatus CustomerExternalData Order Role "
    "Shopper ShopperAddress Subscription UserSetting"
)
_COMPARATORS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
_SURVEY: dict[str, fields.Check] = {
    "ticket_id": fields.integer(),
    "customer_id": fields.integer(),
    "score": fields.integer(low=1, high=5, null=True),
    "body_text": fields.text(longest=1_000),
    "meta": fields.mapping,
    "created_datetime": fields.moment(),
    "scored_datetime": fields.moment(),
    "sent_datetime": fields.moment(),
    "should_send_datetime": fields.moment(),
}
_TAG: dict[str, fields.Check] = {
    "name": fields.text(shortest=1, longest=256, null=False),
    "description": fields.text(longest=1_024),
    "decoration": fields.mapping,
}
SETTINGS: dict[str, fields.Check] = {"type": fields.text()}
EVENTS: dict[str, fields.Check] = {
    **paging(EVENT_ORDERS),
    **{f"created_datetime[{name}]": fields.moment(null=False) for name in _COMPARATORS},
    "object_type": fields.one_of(OBJECT_TYPES),
    "object_id": fields.integer(),
    "types": fields.many(fields.text(shortest=1, longest=100, null=False), longest=100),
    "user_ids": fields.many(fields.integer(), longest=1),
}
TAGS: dict[str, fields.Check] = {**paging(TAG_ORDERS), "search": fields.text()}
SURVEYS = paging(SURVEY_ORDERS)
_IDS, _SOURCES = fields.bulk("ids"), fields.bulk("source_tags_ids")


class OtherCalls:
    """Handlers of the routes beside customers and tickets."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def register(self, routes: Routes) -> None:
        """Add the routes."""
        plain, tag, survey = "/api/tags", "/api/tags/{id}", "/api/satisfaction-surveys/{id}"
        ids = fields.nested(_IDS, required=("ids",))
        sources = fields.nested(_SOURCES, required=("source_tags_ids",))
        new_tag = Contract({201: "Tag"}, body=fields.nested(_TAG, required=("name",)), errors=(409,))
        put_tag = Contract({200: "Tag", 202: None}, body=fields.nested(_TAG), errors=(409,))
        merge = Contract({200: "Tag", 202: None}, body=sources)
        scored = fields.nested(_SURVEY, required=("ticket_id", "customer_id"))
        new_survey = Contract({201: "Survey"}, body=scored, errors=(409,))
        put_survey = Contract({200: "Survey", 202: None}, body=scored, errors=(409,))
        for scope, method, path, handler, verb, contract in (
            ("account", "GET", "/api/account", self.account, "get account", Contract({200: "Account"})),
            ("account", "GET", "/api/account/settings", self.settings, "list account settings",
             Contract({200: "SettingSet"}, SETTINGS)),
            ("events", "GET", "/api/events", self.events, "list events", Contract({200: "EventPage"}, EVENTS)),
            ("events", "GET", "/api/events/{id}", self.event, "get event", Contract({200: "Event"})),
            ("tags", "GET", plain, self.tags, "list tags", Contract({200: "TagPage"}, TAGS)),
            ("tags", "POST", plain, self.create_tag, "create tag", new_tag),
            ("tags", "DELETE", plain, self.delete_tags, "delete tags", Contract({204: None}, body=ids, errors=(409,))),
            ("tags", "GET", tag, self.tag, "get tag", Contract({200: "Tag"})),
            ("tags", "PUT", tag, self.change_tag, "update tag", put_tag),
            ("tags", "DELETE", tag, self.delete_tag, "delete tag", Contract({204: None}, errors=(409,))),
            ("tags", "PUT", "/api/tags/{id}/merge", self.merge_tags, "merge tags", merge),
            ("surveys", "GET", "/api/satisfaction-surveys", self.surveys, "list satisfaction surveys",
             Contract({200: "SurveyPage"}, SURVEYS)),
            ("surveys", "POST", "/api/satisfaction-surveys", self.create_survey, "create satisfaction survey",
             new_survey),
            ("surveys", "GET", survey, self.survey, "get satisfaction survey", Contract({200: "Survey"})),
            ("surveys", "PUT", survey, self.change_survey, "update satisfaction survey", put_survey),
        ):  # fmt: skip
            add(routes, method, path, handler, scope=scope, failure=f"Failed to {verb}", contract=contract)

    def account(self, request: Request) -> Reply:
        """GET account: the probe of credentials."""
        fields.no_query(request)
        created = int(self.store.fact("created") or 0)
        body = {
            "domain": DOMAIN,
            "status": {"status": "active"},
            "settings": self._settings(),
            "created_datetime": stamp(created),
            "deactivated_datetime": None,
        }
        return ok(dump(body))

    def settings(self, request: Request) -> Reply:
        """GET account settings: {"data": […]}, not paged [recorded]."""
        asked = fields.query(request, SETTINGS)
        found = [entry for entry in self._settings() if asked.get("type") in (None, entry["type"])]
        return ok(short_list(self.store, found))

    def _settings(self) -> list[dict[str, object]]:
        """Whether surveys are mailed stands in data.send_survey_for_* [shape seen in Gorgias's own front end]."""
        mailed = self.store.on("survey_after_close")
        start: list[dict[str, object]] = [
            {
                "id": 1,
                "type": "satisfaction-surveys",
                "data": {
                    "send_survey_for_chat": mailed,
                    "send_survey_for_email": mailed,
                    "survey_email_html": "<p>How did we do?</p>",
                    "survey_email_text": "How did we do?",
                    "survey_interval": 0,
                },
            },
            {"id": 2, "type": "business-hours", "data": {"timezone": "UTC", "business_hours": []}},
        ]
        return settings.written(self.store, start)

    def events(self, request: Request) -> Reply:
        """GET events: the only list with a filter by time [doc]."""
        asked = fields.query(request, EVENTS, repeated=("types", "user_ids"))
        if "object_type" in asked and "object_id" not in asked:
            raise request.invalid({"object_id": [fields.MISSING]})
        wanted = self.store.listing("events", EVENT_ORDERS, asked)
        for name, sign in _COMPARATORS.items():
            if f"created_datetime[{name}]" in asked:
                wanted.add(f"created {sign} ?", asked[f"created_datetime[{name}]"])
        for name in ("object_type", "object_id"):
            if name in asked:
                wanted.add(f"{name} = ?", asked[name])
        for name, column in (("types", "type"), ("user_ids", "user_id")):
            if asked.get(name):
                wanted.add(f"{column} IN ({', '.join('?' * len(asked[name]))})", *asked[name])
        return ok(envelope(request, self.store.page(request, wanted, ("row",))))

    def event(self, request: Request) -> Reply:
        """GET one event."""
        fields.no_query(request)
        found = self.store.one("SELECT row FROM events WHERE id = ? AND deleted IS NULL", request.ids[0])
        if found is None:
            raise not_found()
        return ok(found[0])

    def tags(self, request: Request) -> Reply:
        """GET tags; `search` finds parts of names without regard to case [inferred]."""
        asked = fields.query(request, TAGS)
        wanted = self.store.listing("tags", TAG_ORDERS, asked)
        if asked.get("search"):
            wanted.add("instr(lower(name), lower(?))", asked["search"])
        page = self.store.page(request, wanted, tags.COLUMNS)
        page.rows = [(dump(tags.show(row)),) for row in page.rows]
        return ok(envelope(request, page, total=True))

    def tag(self, request: Request) -> Reply:
        """GET one tag."""
        fields.no_query(request)
        return ok(dump(tags.read(self.store, request.ids[0])))

    def create_tag(self, request: Request) -> Reply:
        """POST tag: 201, 409 for a name in use."""
        fields.no_query(request)
        given = fields.body(request, _TAG, ("name",))
        with self.store.writing():
            number = tags.create(self.store, given, _actor(request))
        return ok(dump(tags.read(self.store, number)), 201)

    def change_tag(self, request: Request) -> Reply:
        """PUT tag."""
        fields.no_query(request)
        given = fields.body(request, _TAG)
        with self.store.writing():
            tags.change(self.store, request.ids[0], given, _actor(request))
        return put_reply(self.store, dump(tags.read(self.store, request.ids[0])))

    def delete_tag(self, request: Request) -> Reply:
        """DELETE tag: 204, 409 while a rule names it [doc]."""
        fields.no_query(request)
        with self.store.writing():
            self._delete_tag(request.ids[0], request)
        return Reply(204)

    def delete_tags(self, request: Request) -> Reply:
        """DELETE with {"ids": […]}: 204."""
        fields.no_query(request)
        given = fields.body(request, _IDS, ("ids",))
        with self.store.writing():
            for number in dict.fromkeys(given["ids"]):
                self._delete_tag(number, request)
        return Reply(204)

    def _delete_tag(self, number: int, request: Request) -> None:
        if rules.names(self.store, number, tags.read(self.store, number)["name"]):
            raise conflict()
        tags.delete(self.store, number, _actor(request))

    def merge_tags(self, request: Request) -> Reply:
        """PUT merge: {"source_tags_ids": […]} go into the tag of the path."""
        fields.no_query(request)
        given = fields.body(request, _SOURCES, ("source_tags_ids",))
        with self.store.writing():
            tags.merge(self.store, request.ids[0], list(dict.fromkeys(given["source_tags_ids"])), _actor(request))
        return put_reply(self.store, dump(tags.read(self.store, request.ids[0])))

    def surveys(self, request: Request) -> Reply:
        """GET surveys; no filter is confirmed for this list."""
        asked = fields.query(request, SURVEYS)
        wanted = self.store.listing("surveys", SURVEY_ORDERS, asked)
        return ok(envelope(request, self.store.page(request, wanted, ("row",))))

    def survey(self, request: Request) -> Reply:
        """GET one survey."""
        fields.no_query(request)
        return ok(dump(surveys.read(self.store, request.ids[0])))

    def create_survey(self, request: Request) -> Reply:
        """POST survey: 201."""
        fields.no_query(request)
        given = fields.body(request, _SURVEY, ("ticket_id", "customer_id"))
        with self.store.writing():
            number = surveys.create(self.store, given, _actor(request))
        return ok(dump(surveys.read(self.store, number)), 201)

    def change_survey(self, request: Request) -> Reply:
        """PUT survey: a full replacement, both ids again [seen in a working client]."""
        fields.no_query(request)
        surveys.read(self.store, request.ids[0])
        given = fields.body(request, _SURVEY, ("ticket_id", "customer_id"))
        with self.store.writing():
            surveys.change(self.store, request.ids[0], given, _actor(request))
        return put_reply(self.store, dump(surveys.read(self.store, request.ids[0])))


def _actor(request: Request) -> Actor:
    return Actor(request.caller.user_id)
