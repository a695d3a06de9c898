"""A policy in which one field is ruled otherwise, without reading all of it again."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

import yaml

from sync_platform.core.policy import FieldPolicy, Policy, parse
from sync_platform.core.policy_nodes import plain
from sync_platform.core.records import ENTITIES, Entity, payload_hash

# The library's own in C, where it came with one; what is read here was written here.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_DUMPER: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def read(policy: Policy) -> Any:
    """The keys and values of a policy's file, to be changed as one likes."""
    return copy.deepcopy(_read(policy.text))


@lru_cache(maxsize=32)
def _read(text: str) -> Any:
    # Every story begins with the same one.
    return yaml.load(text, Loader=_LOADER)  # noqa: S506  # a safe one


def ruled(policy: Policy, text: Mapping[str, Any], entity: Entity, name: str) -> Policy:
    """The policy with the field as `text` has it, and with that text and its hash. Raises `Misconfigured`."""
    whole = yaml.dump(text, Dumper=_DUMPER, sort_keys=False)
    now = policy.entities[entity]
    fields = {**now.fields, name: _read_alone(text, entity, name)}
    digest = payload_hash(plain(yaml.compose(whole, Loader=_LOADER)))[:16]
    return replace(policy, entities={**policy.entities, entity: replace(now, fields=fields)}, hash=digest, text=whole)


def _read_alone(text: Mapping[str, Any], entity: Entity, name: str) -> FieldPolicy:
    """What the text says of one field: to read all of it costs as much as many steps."""
    alone: dict[str, Any] = {str(one): {"fields": {}} for one in ENTITIES}
    alone |= {key: value for key, value in text.items() if key not in alone}
    words = text[entity].get("vocabulary", {})
    alone[str(entity)] = {
        "fields": {name: text[entity]["fields"][name]},
        "vocabulary": {name: words[name]} if name in words else {},
    }
    return _parsed(yaml.dump(alone, Dumper=_DUMPER, sort_keys=False)).entities[entity].fields[name]


@lru_cache(maxsize=1024)
def _parsed(text: str) -> Policy:
    # The same few rulings of one field come again from story to story; what was read is never changed.
    return parse(text, "policy.yaml")
