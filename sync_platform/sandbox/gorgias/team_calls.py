"""The HTTP calls on teams."""

from sync_platform.sandbox.gorgias import fields, teams
from sync_platform.sandbox.gorgias.customer_calls import put_reply
from sync_platform.sandbox.gorgias.http import Contract, Reply, Request, Routes, add, dump, ok
from sync_platform.sandbox.gorgias.store import Actor, Sort, Store, envelope, paging, sorts

ORDERS = {**sorts("created"), "name:asc": Sort(("name",), False), "name:desc": Sort(("name",), True)}


class TeamCalls:
    """Handlers of the teams' routes; they ask for the scope of users [inferred]."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def register(self, routes: Routes) -> None:
        """Add the routes."""
        new, given = fields.nested(teams.BODY, required=("name",)), fields.nested(teams.BODY)
        put = Contract({200: "Team", 202: None}, body=given)
        for method, path, handler, verb, contract in (
            ("GET", "/api/teams", self.page, "list teams", Contract({200: "TeamPage"}, paging(ORDERS))),
            ("POST", "/api/teams", self.create, "create team", Contract({201: "Team"}, body=new)),
            ("GET", "/api/teams/{id}", self.get, "get team", Contract({200: "Team"})),
            ("PUT", "/api/teams/{id}", self.change, "update team", put),
            ("DELETE", "/api/teams/{id}", self.delete, "delete team", Contract({204: None})),
        ):
            add(routes, method, path, handler, scope="users", failure=f"Failed to {verb}", contract=contract)

    def page(self, request: Request) -> Reply:
        """GET teams."""
        wanted = self.store.listing("teams", ORDERS, fields.query(request, paging(ORDERS)))
        page = self.store.page(request, wanted, teams.COLUMNS)
        page.rows = [(dump(teams.show(self.store, row)),) for row in page.rows]
        return ok(envelope(request, page))

    def create(self, request: Request) -> Reply:
        """POST: 201; name is required."""
        fields.no_query(request)
        given = fields.body(request, teams.BODY, ("name",))
        with self.store.writing():
            number = teams.create(self.store, given, _actor(request))
        return ok(dump(teams.read(self.store, number)), 201)

    def get(self, request: Request) -> Reply:
        """GET one team."""
        fields.no_query(request)
        return ok(dump(teams.read(self.store, request.ids[0])))

    def change(self, request: Request) -> Reply:
        """PUT: partial; members replace."""
        fields.no_query(request)
        teams.read(self.store, request.ids[0])
        given = fields.body(request, teams.BODY)
        with self.store.writing():
            teams.change(self.store, request.ids[0], given, _actor(request))
        return put_reply(self.store, dump(teams.read(self.store, request.ids[0])))

    def delete(self, request: Request) -> Reply:
        """DELETE: 204."""
        fields.no_query(request)
        with self.store.writing():
            teams.delete(self.store, request.ids[0], _actor(request))
        return Reply(204)


def _actor(request: Request) -> Actor:
    return Actor(request.caller.user_id)
