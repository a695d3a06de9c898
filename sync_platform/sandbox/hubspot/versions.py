"""What an answer to a batch looks like in each version of the paths.

Facts: up to 2026-03 a batch whose rows failed in part is a 207 with `numErrors` and `errors`; 2026-09 has both fields
in the answer's one schema and doesn't list 207 by itself [spec]. Whether it then answers 200 isn't established: switch
`batch_status_2026_09`.
"""

from collections.abc import Callable
from typing import Any

from sync_platform.sandbox.hubspot.wire import Answer, Call, stamp

NEWEST = "2026-09"


def completed(
    call: Call, status: int, results: list[Any], errors: list[dict[str, Any]], switch: Callable[[str], Any]
) -> Answer:
    """The answer to a batch that was carried out, be it in part; `numErrors` counts groups of errors, not ids."""
    at = stamp(call.now_ms)
    body: dict[str, Any] = {"status": "COMPLETE", "results": results, "startedAt": at, "completedAt": at}
    newest = call.version == NEWEST
    if errors or newest:
        body |= {"numErrors": len(errors), "errors": errors}
    if errors and not (newest and switch("batch_status_2026_09") == "plain"):
        status = 207
    return Answer(status, body)
