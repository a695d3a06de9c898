"""A policy of which one field was ruled otherwise is the one that reading all of it again gives."""

from __future__ import annotations

from importlib.resources import files

import pytest

from sync_platform.core.policy import parse
from sync_platform.simulation import policies
from sync_platform.simulation.operators import CHANGEABLE, RULES

SYSTEMS = ["gorgias", "erp", "hubspot"]


@pytest.mark.parametrize("word", sorted(RULES))
@pytest.mark.parametrize("entity", sorted(CHANGEABLE))
def test_a_policy_ruled_otherwise_is_what_its_text_says(entity, word):
    before = parse(files("sync_platform").joinpath("policy.yaml").read_text(encoding="utf-8"), "policy.yaml")
    for name in CHANGEABLE[entity]:
        text = policies.read(before)
        text[entity]["fields"][name] = {"rules": RULES[word], "empty": "clear", "writers": SYSTEMS}
        after = policies.ruled(before, text, entity, name)
        again = parse(after.text, "policy.yaml")
        assert after.hash == again.hash
        assert after.hash != before.hash
        assert after.entities[entity].fields == again.entities[entity].fields
        assert after.vocabulary == again.vocabulary
