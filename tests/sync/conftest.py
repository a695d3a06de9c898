"""Worlds for the tests of the sync: one for a module whose tests keep to their own records, else one for each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.sync.desk import Desk, opened


@pytest.fixture
def open_desk(tmp_path) -> Iterator[Callable[..., Desk]]:
    """Call it for a world of your own; it ends with the test, which fails if any mail left to a customer."""
    with ExitStack() as stack:
        made = 0

        def make(**options) -> Desk:
            nonlocal made
            made += 1
            return stack.enter_context(opened(tmp_path / f"desk{made}", **options))

        yield make


@pytest.fixture
def desk(open_desk) -> Desk:
    """A loaded world of this test alone."""
    return open_desk()


@pytest.fixture(scope="module")
def shared_desk(tmp_path_factory) -> Iterator[Desk]:
    """A loaded world for all tests of a module: each test takes records that no other one takes."""
    with opened(tmp_path_factory.mktemp("shared")) as one:
        yield one


@pytest.fixture(autouse=True)
def no_mail_leaves(request) -> Iterator[None]:
    """After every test in a shared world (a world of one test looks at its end): no mail to a customer left."""
    yield
    for name in ("shared_desk", "played"):
        if name in request.fixturenames:
            found = request.getfixturevalue(name)
            assert getattr(found, "desk", found).outbox() == []
