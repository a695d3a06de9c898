"""Rules of one's own: found by entry point, examined in a process of their own, bound to the policy that names them."""

from __future__ import annotations

import inspect
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from importlib.metadata import EntryPoint, entry_points

from sync_platform.core.own import GROUP, OwnRule
from sync_platform.core.policy import Policy
from sync_platform.core.policy_nodes import PolicyWrong, Problem
from sync_platform.core.records import payload_hash
from sync_platform.errors import Misconfigured

EXAM_S = 60


def bound(policy: Policy) -> Policy:
    """The policy with every own rule that it names; its hash then names their code, too. Raises `Misconfigured`."""
    rules = [rule for e in policy.entities.values() for f in e.fields.values() for rule in f.rules if rule.name]
    if not rules:
        return policy
    there = {one.name: one for one in entry_points(group=GROUP)}
    functions: dict[str, OwnRule] = {}
    sources = {}
    problems = []
    for name in sorted({rule.name for rule in rules}):
        try:
            accept(_brought(name, there))
            functions[name] = there[name].load()
            sources[name] = _source(functions[name])
        except Misconfigured as error:
            said = [rule for rule in rules if rule.name == name]
            problems += [Problem(rule.line, rule.path, error.message, error.remedy or "") for rule in said]
    if problems:
        problems.sort(key=lambda one: one.line)
        raise PolicyWrong("\n".join(f"line {one.line}: {one.path}: {one.what}" for one in problems), problems)
    return with_functions(policy, functions, payload_hash([policy.hash, sources])[:16])


def _brought(name: str, there: Mapping[str, EntryPoint]) -> EntryPoint:
    if name in there:
        return there[name]
    known = ", ".join(sorted(there)) or "none"
    raise Misconfigured(
        f"the policy names the rule {name!r}, which no installed package brings (there: {known})",
        remedy=f'Install the package whose [project.entry-points."{GROUP}"] has {name} = "module:function".',
    )


def with_functions(policy: Policy, functions: Mapping[str, OwnRule], hash_: str) -> Policy:
    """The same policy with its own rules bound to functions."""
    entities = {}
    for entity, one in policy.entities.items():
        fields = {}
        for name, field in one.fields.items():
            rules = tuple(replace(rule, function=functions.get(rule.name)) for rule in field.rules)
            fields[name] = replace(field, rules=rules)
        entities[entity] = replace(one, fields=fields)
    return replace(policy, entities=entities, hash=hash_)


def accept(entry: EntryPoint) -> None:
    """Raises `Misconfigured` unless the rule passes its exam twice with the same answers."""
    digests = {_examined(entry, seed) for seed in ("1", "2")}
    if len(digests) > 1:
        _refuse(entry, "it answered the same question in two ways in two processes")


def _examined(entry: EntryPoint, hash_seed: str) -> str:
    """The digest of its answers in a process whose sets and dicts of strings are ordered in a way of their own."""
    command = [sys.executable, "-m", "sync_platform.sync.own_exam", entry.value]
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter, a name from installed metadata
            command,
            capture_output=True,
            text=True,
            timeout=EXAM_S,
            check=False,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        verdict = json.loads(done.stdout.strip().splitlines()[-1])
    except subprocess.TimeoutExpired:
        _refuse(entry, f"it did not come to an end within {EXAM_S} s")
    except (ValueError, IndexError):
        _refuse(entry, "its process ended without an answer")
    if not verdict["ok"]:
        _refuse(entry, verdict["reason"])
    return str(verdict["digest"])


def _refuse(entry: EntryPoint, reason: str) -> None:
    raise Misconfigured(
        f"the rule {entry.name!r} ({entry.value}) is not accepted: {reason}",
        remedy="A rule chooses among its candidates by what they hold alone: see docs/how-to/write-a-rule.md.",
    )


def _source(rule: OwnRule) -> str:
    try:
        return inspect.getsource(inspect.getmodule(rule) or rule)
    except (OSError, TypeError):
        return repr(getattr(rule, "__code__", rule))
