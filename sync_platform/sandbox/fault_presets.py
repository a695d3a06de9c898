"""Ready-made plans of disturbance, by name; each is a plain list of faults that a person could have written."""

from typing import Any

_EACH = {"system": "*", "path": "*"}
_PRESETS: dict[str, tuple[str, list[dict[str, Any]]]] = {
    "bad-night": (
        "A little of everything for as long as it stands: slow answers, some 429, gateway pages, lost and cut answers.",
        [
            {**_EACH, "kind": "latency", "p50": 20, "p95": 120},
            {**_EACH, "kind": "429", "share": 0.03, "retry_after": 1},
            {**_EACH, "kind": "5xx", "share": 0.02, "status": 502},
            {**_EACH, "kind": "5xx", "share": 0.005, "status": 504, "landed": True},
            {**_EACH, "kind": "reset_before", "share": 0.01},
            {**_EACH, "kind": "reset_after", "share": 0.01},
            {**_EACH, "kind": "truncate", "share": 0.01},
            {"system": "hubspot", "path": "*", "kind": "423", "share": 0.01},
        ],
    ),
    "rate-limit-storm": (
        "A third of all calls is answered 429, in turn as the vendor does, without Retry-After, empty and as a page.",
        [
            {**_EACH, "kind": "429", "share": 0.12},
            {**_EACH, "kind": "429", "share": 0.1, "retry_after": None},
            {**_EACH, "kind": "429", "share": 0.07, "shape": "empty", "retry_after": None},
            {**_EACH, "kind": "429", "share": 0.07, "shape": "html", "retry_after": 2},
        ],
    ),
    "gateway-trouble": (
        "Spells of 5xx as pages and as JSON: ten calls of every hundred fail, some after the write has landed.",
        [
            {**_EACH, "kind": "5xx", "share": 0.04, "status": 502},
            {**_EACH, "kind": "5xx", "share": 0.03, "status": 503, "body": "json"},
            {**_EACH, "kind": "5xx", "share": 0.03, "status": 504, "landed": True},
        ],
    ),
    "lost-answers": (
        "Writes land, but one answer in ten is lost: by a reset after the write, a 504, or a body that breaks off.",
        [
            {**_EACH, "kind": "reset_after", "share": 0.05},
            {**_EACH, "kind": "5xx", "share": 0.03, "status": 504, "landed": True},
            {**_EACH, "kind": "truncate", "share": 0.03, "at": 0.9},
        ],
    ),
    "slow-network": (
        "Every answer takes its time (median 150 ms, one in twenty above 900 ms), and one body in ten dribbles in.",
        [{**_EACH, "kind": "latency", "p50": 150, "p95": 900}, {**_EACH, "kind": "slow", "share": 0.1, "ms": 1500}],
    ),
    "locked-records": (
        "One HubSpot write in five meets a record that is locked (423); trying again later works.",
        [
            {"system": "hubspot", "path": "/crm", "kind": "423", "share": 0.2, "method": method}
            for method in ("POST", "PATCH")
        ],
    ),
    "moving-house": (
        "HubSpot moves the account for ten minutes of the sandbox's clock: every call 477 with Retry-After 600.",
        [{"system": "hubspot", "path": "*", "kind": "477", "until_s": 600, "retry_after": 600}],
    ),
    "skewed-clock": (
        "One call in five meets a server whose clock is off by 90 s, before or after: stamps may go backwards.",
        [
            {**_EACH, "kind": "clock", "share": 0.1, "jump_s": -90},
            {**_EACH, "kind": "clock", "share": 0.1, "jump_s": 90},
        ],
    ),
}


def preset(name: Any, seed: Any = 0) -> list[dict[str, Any]]:
    """The plan of a name, drawn from `seed`. Raises ValueError naming the known ones."""
    if not isinstance(name, str) or name not in _PRESETS:
        raise ValueError(f"preset must be one of: {', '.join(_PRESETS)}")
    if isinstance(seed, bool) or not isinstance(seed, int):
        raise ValueError("seed must be a whole number")  # noqa: TRY004 - it came over the wire
    # A seed of its own for each fault: two of one kind would otherwise hit the same calls.
    return [{**fault, "seed": seed * 1000 + place} for place, fault in enumerate(_PRESETS[name][1])]


def presets() -> list[dict[str, Any]]:
    """Every preset as {"name", "does", "faults"}."""
    return [{"name": name, "does": does, "faults": faults} for name, (does, faults) in _PRESETS.items()]
