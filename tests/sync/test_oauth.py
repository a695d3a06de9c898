"""A run whose Gorgias access is an OAuth app: connected once, refreshed when the token ends."""

from __future__ import annotations

import threading
import urllib.request

import pytest

from sync_platform.connectors import oauth
from sync_platform.errors import Misconfigured, NotAllowed, SyncError
from sync_platform.sync.setup import setup
from sync_platform.sync.tokens import TokenFile, gorgias_app
from tests.sync.desk import Desk, settings_of, written


def app_env(ready):
    return {
        "GORGIAS_BASE_URL": ready["gorgias"]["url"],
        "GORGIAS_CLIENT_ID": ready["gorgias"]["client_id"],
        "GORGIAS_CLIENT_SECRET": ready["gorgias"]["client_secret"],
    }


def browse(url):
    """The person's browser: follows the redirect back to us."""
    thread = threading.Thread(target=lambda: urllib.request.urlopen(url, timeout=10).close(), daemon=True)
    thread.start()


def connected(desk, settings):
    oauth.connect(gorgias_app(settings), TokenFile(settings.runtime_dir), show=browse, port=0)


@pytest.fixture
def by_oauth(open_desk) -> Desk:
    desk = open_desk(load=False)
    desk.settings = settings_of(desk.ready, desk.root, app_env(desk.ready))
    connected(desk, desk.settings)
    setup(desk.settings)
    return desk


def test_load_and_edits_go_by_oauth(by_oauth):
    assert by_oauth.sync()["complete"]
    ids = next(iter(by_oauth.trios("customer").items()))[1]
    by_oauth.edit("erp", "customers", ids["erp"], note="By OAuth")
    by_oauth.later()
    assert by_oauth.row("gorgias", "customer", ids["gorgias"])["note"] == "By OAuth"
    assert oct(by_oauth.settings.runtime_dir.joinpath("gorgias-tokens.json").stat().st_mode)[-3:] == "600"
    by_oauth.settled()
    by_oauth.assert_equal()


@pytest.mark.parametrize("rotation", ["off", "on", "omit"])
def test_a_token_that_ended_is_refreshed_once_and_the_run_goes_on(by_oauth, rotation):
    by_oauth.switch(gorgias__refresh_rotation=rotation)
    assert by_oauth.sync()["complete"]
    for _ in range(2):
        by_oauth.advance(100_000)
        by_oauth.forget_calls()
        summary = by_oauth.cycle()
        assert summary["outcome"] == "ok", summary["errors"]
        assert written(summary) == 0
        assert sum(n for (_, _, path), n in by_oauth.calls().items() if path.endswith("/oauth/token")) == 1


def test_without_being_connected_the_error_names_the_command(open_desk):
    desk = open_desk(load=False)
    desk.settings = settings_of(desk.ready, desk.root, app_env(desk.ready))
    with pytest.raises((Misconfigured, NotAllowed)) as stopped:
        setup(desk.settings)
    assert isinstance(stopped.value, SyncError)
    assert "connect gorgias" in stopped.value.remedy
