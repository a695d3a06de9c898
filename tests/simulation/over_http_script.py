"""Stories for the served sandbox: a seed becomes steps in the shapes of `simulation/script.py`, and gets its switches.

Beside those steps there are `["disturb", plan]` and `["calm"]` (fault plans of the sandbox) and
`["switch", name, value]`.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from sync_platform.core.records import ENTITIES, SYSTEMS
from sync_platform.sandbox.fault_presets import presets
from sync_platform.sandbox.gorgias import switches as gorgias
from sync_platform.sandbox.hubspot import switches as hubspot
from sync_platform.sandbox.switches import Switches
from sync_platform.simulation.world import Step

DEATHS = ("die_before_commit", "die_after_commit", "die_before_call", "die_after_call", "second_run")
WEIGHTS = {
    "edit": 26,
    "pull": 10,
    "push": 8,
    "reconcile": 5,
    "fault": 7,
    "wait": 6,
    "cycle": 6,
    "sweep": 1,
    "ticket": 2,
    "race": 6,
    "birth": 4,
    "disturb": 5,
    "calm": 4,
}
# In stories in which objects come to an end: these as well, under the settings that say how a vendor shows it.
ENDS = {"delete": 4, "merge": 4}
SHOWN_AT_ENDS = (
    "gorgias.deleted_customer_tickets",
    "gorgias.merge_bumps_tickets",
    "gorgias.merge_moves_updated",
    "gorgias.merged_event_object",
    "gorgias.merged_get",
    "gorgias.merged_location",
    "hubspot.batch_merged_away",
    "hubspot.merge_id",
    "hubspot.search_merged_away",
)
# Plans of disturbance: the ready-made ones and each kind alone, so that every kind comes often enough.
PLANS: dict[str, Any] = {
    **{one["name"]: {"preset": one["name"]} for one in presets() if one["name"] != "slow-network"},
    "lost": [{"kind": "reset_after", "share": 0.3}],
    "refused": [{"kind": "429", "every": 4, "times": 4}],
    "landed": [{"kind": "5xx", "share": 0.2, "status": 504, "landed": True}],
    "cut": [{"kind": "truncate", "share": 0.2}],
    "away": [{"kind": "reset_before", "share": 0.3}],
}

# What belongs to calls that the sync never makes, to accesses that it does not use, or to webhooks, whose receiver is
# not part of these stories.
_NEVER_MET = (
    "gorgias.body_max_bytes gorgias.custom_field_events gorgias.customer_triggers gorgias.delete_message_status"
    " gorgias.deleted_team_tickets gorgias.deleted_user_tickets gorgias.hmac_encoding gorgias.hmac_header"
    " gorgias.integration_backoff_s gorgias.integration_context gorgias.integration_data_moves_updated"
    " gorgias.integration_disorder gorgias.integration_duplicates gorgias.integration_failures_max"
    " gorgias.integration_timeout_s gorgias.integration_tries gorgias.macro_orders gorgias.managed_field_omitted"
    " gorgias.message_by_id gorgias.message_fires_ticket_updated gorgias.message_send_s gorgias.message_sending"
    " gorgias.missing_receiver gorgias.oauth_consent gorgias.refresh_rotation gorgias.search_reply gorgias.snooze_end"
    " gorgias.survey_after_close gorgias.survey_when_created_closed gorgias.trigger_underscores"
    " gorgias.unauthorized_reply gorgias.unknown_scope gorgias.value_body_id gorgias.view_hides gorgias.view_shared_as"
    " gorgias.view_slug_required gorgias.voice_call_order hubspot.batch_status_2026_09 hubspot.delete_unknown"
    " hubspot.expired_token_category hubspot.gdpr_blocks hubspot.journal_delay_s hubspot.journal_empty"
    " hubspot.journal_token hubspot.journal_url_s hubspot.labels_max hubspot.malformed_token hubspot.oauth_code_s"
    " hubspot.oauth_consent hubspot.oauth_hub hubspot.pipeline_delete_in_use hubspot.property_in_use"
)
NEVER_MET = frozenset(_NEVER_MET.split())
PREFIX_NEVER_MET = ("hubspot.webhook_",)
# What an account may not do for a while: turned in the middle of a story, and back before it has to be equal.
REFUSALS: dict[str, Any] = {
    "gorgias.key_role": "observer-agent",
    "gorgias.messaging_quota": "exceeded",
    "gorgias.note_writable": "off",
    "hubspot.contact_without_identity": "refuse",
    "hubspot.missing_scopes": "tickets,crm.objects.tickets.read,crm.objects.tickets.write",
}
NUMBERS: dict[str, tuple[Any, ...]] = {
    "gorgias.cursor_ttl_s": (1,),
    "gorgias.trash_kept_days": (1,),
    "gorgias.view_lag_s": (30.0,),
    "hubspot.calls_per_day": (5_000,),
    "hubspot.history_depth": (2,),
    "hubspot.owners_limit_max": (100,),
    "hubspot.property_delay_s": (30.0,),
    "hubspot.retry_after_s": (1,),
    "hubspot.search_lag_s": (20.0,),
}


def met() -> list[tuple[str, Any]]:
    """Every switch that the sync meets, with each of its settings other than the default."""
    known = Switches()
    gorgias.register(known)
    hubspot.register(known)
    out: list[tuple[str, Any]] = []
    for row in known.listing():
        name = row["name"]
        if name in NEVER_MET or name.startswith(PREFIX_NEVER_MET):
            continue
        choices = NUMBERS.get(name) or ((REFUSALS[name],) if name in REFUSALS else row["choices"])
        if isinstance(choices, str):
            raise TypeError(f"{name} takes any {choices}: say in NUMBERS which")
        out += [(name, choice) for choice in choices if choice != row["default"]]
    return out


def dealt(seeds: int, deck: list[tuple[str, Any]]) -> list[list[tuple[str, Any]]]:
    """These settings for each of so many stories; no story has one switch twice."""
    deck = list(deck)
    random.Random(0).shuffle(deck)
    hands: list[list[tuple[str, Any]]] = [[] for _ in range(seeds)]
    for name, value in deck:
        free = [hand for hand in hands if name not in dict(hand)]
        min(free, key=len).append((name, value))
    return hands


def draw(seed: int, steps: int, hand: list[tuple[str, Any]], *, ends: bool = False) -> list[Step]:
    """The story of a seed: people, most of its switches, a quiet beginning, the steps, a quiet end."""
    rng = random.Random(seed)
    out: list[Step] = []
    for number in range(1, rng.randint(3, 4)):
        where = [str(one) for one in rng.sample(SYSTEMS, rng.randint(1, 3))]
        out.append(["person", number, where, [where[0]]])
    later = [one for one in hand if one[0] in REFUSALS or rng.random() < 0.3]
    out += [["switch", name, value] for name, value in hand if (name, value) not in later]
    if rng.random() < 0.5:
        out.append(["quiet"])
    kinds = {**WEIGHTS, **(ENDS if ends else {})}
    turns: list[Step] = []
    while len(turns) < steps:
        kind = rng.choices(list(kinds), list(kinds.values()))[0]
        turns += _knot(rng, kind, len(turns)) if kind in ("race", "birth") else [_one(rng, kind, len(turns))]
    turns = [*turns[: steps // 2], ["quiet"], *turns[steps // 2 : steps]]
    for name, value in later:
        turns.insert(rng.randrange(len(turns)), ["switch", name, value])
    return [*out, *turns, ["quiet"]]


def _knot(rng: random.Random, kind: str, turn: int) -> list[Step]:
    """An edit that is on its way while its target is edited, or somebody new whose creation goes wrong."""
    one, other = (str(system) for system in rng.sample(SYSTEMS, 2))
    entity, which, number = str(rng.choice(ENTITIES)), rng.randrange(3), 100 + turn * 7
    if kind == "race":
        edit: Step = ["edit", other, entity, which, rng.randrange(60), number + 7]
        first: Step = ["edit", one, entity, which, rng.randrange(60), number]
        return [first, ["pull", one, entity], ["reconcile", entity], edit, ["push", other, entity]]
    born: Step = ["ticket", one, which, 1000 + turn]
    if rng.random() < 0.5:
        born = ["person", 100 + turn, [one, other], []]
    entity = str(born[0]).replace("person", "customer")
    wrong: Step = ["disturb", "lost", rng.randrange(1000)]
    if rng.random() < 0.5:
        wrong = ["fault", "die_after_call", rng.randrange(3)]
    return [born, ["cycle"], wrong, ["cycle"], ["calm"]]


def _one(rng: random.Random, kind: str, turn: int) -> Step:
    system, entity, big = str(rng.choice(SYSTEMS)), str(rng.choice(ENTITIES)), rng.randrange(1000)
    if kind == "edit":
        return [kind, system, entity, big % 5, rng.randrange(60), 100 + turn * 7 + big % 7]
    if kind in ("pull", "push", "sweep"):
        return [kind, system, entity]
    made: dict[str, Callable[[], list[Any]]] = {
        "reconcile": lambda: [entity],
        "fault": lambda: [rng.choice(DEATHS), rng.choice((0, 0, 1, 2, 3, 5, 8))],
        "wait": lambda: [rng.choice((1, 5, 31, 70, 130, 400))],
        "ticket": lambda: [system, big, 1000 + turn],
        "delete": lambda: [system, entity, big],
        "merge": lambda: [rng.choice(("gorgias", "hubspot")), big, big // 7],
        "disturb": lambda: [rng.choice(list(PLANS)), big],
    }
    return [kind, *made[kind]()] if kind in made else [kind]
