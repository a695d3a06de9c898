"""What the sandbox does not serve, and says so: 501 with the name of the call, never an invented answer.

Known to the vendor and not served: statistics, uploads, downloads. A path that nothing here knows answers 501, too,
because the vendor's internal paths are not listed; 404 by the switch unknown_path, as an account answers unknown paths.
"""

import re

from sync_platform.sandbox.gorgias.http import ApiError, Contract, Reply, Request, Routes, add, not_found
from sync_platform.sandbox.gorgias.store import Store

_DOWNLOAD = re.compile(r"/api/[^/]+/download/[^/]+/[^/]+")
_STATS = re.compile(r"/api/stats/[^/]+")


class UnservedCalls:
    """Handlers of paths that are known and not served."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def register(self, routes: Routes) -> None:
        """Add the routes."""
        for scope, method, path in (("statistics", "POST", "/api/reporting/stats"), ("tickets", "POST", "/api/upload")):
            # A contract without answers: the account's description leaves the call out.
            add(routes, method, path, self.refuse, scope=scope, failure="", contract=Contract({}))

    def refuse(self, request: Request) -> Reply:
        """501 with the call's name."""
        raise unserved(request.method, request.path)


def unserved(method: str, path: str) -> ApiError:
    """The answer of a call that the sandbox does not serve."""
    return ApiError(501, f"This call is not served by the sandbox: {method} {path}")


def unknown(store: Store, routes: Routes, key: tuple[str, ...], method: str, path: str) -> ApiError:
    """The answer for a path without a route. An id that is no number, on a path that exists, is a plain 404."""
    path = path.rstrip("/")
    if _STATS.fullmatch(path):  # seen in a working client
        return ApiError(400, f"Statistic '{path.rsplit('/', 1)[1]}' does not exist.")
    if _DOWNLOAD.fullmatch(path):
        return unserved(method, path)
    if any((*key[:at], "{}", *key[at + 1 :]) in routes for at in range(1, len(key)) if key[at] != "{}"):
        return not_found()
    if not path.startswith("/api/"):
        return not_found()
    return absent(store, method, path)


def absent(store: Store, method: str, path: str) -> ApiError:
    """The answer for a path that nobody documents."""
    return not_found() if store.switch("unknown_path") == 404 else unserved(method, path)
