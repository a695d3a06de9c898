"""Column lineage of the whole platform, from the mappings and the policy: a table and a drawing."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sync_platform.core import columns
from sync_platform.core.records import ENTITIES, SYSTEMS
from sync_platform.web import drawing_columns, frame


def _columns(request: Request) -> Response:
    """`?entity=` and `?field=` choose."""
    policy = frame.hub(request).policy
    entity = next((one for one in ENTITIES if one == request.query_params.get("entity")), ENTITIES[0])
    every = columns.lines(policy, entity)
    wanted = request.query_params.get("field", "")
    lines = [one for one in every if one.field == wanted] or every
    return frame.page(
        request,
        "columns.html",
        entities=[str(one) for one in ENTITIES],
        entity=str(entity),
        names=[one.field for one in every],
        chosen=wanted if len(lines) < len(every) else "",
        lines=lines,
        systems=SYSTEMS,
        drawn=drawing_columns.draw(entity, lines),
        policy=policy.hash,
    )


ROUTES: tuple[Route, ...] = (Route("/columns", frame.seen(_columns), methods=["GET"]),)
