"""What the platform is told from outside, and that a secret is never said again."""

import http.server
import json
import threading
import traceback
from pathlib import Path

import pytest

from sync_platform.errors import Misconfigured
from sync_platform.settings import Settings, gorgias_url, is_loopback, secret_names, setting_names

CANARY = "canary-7f3a91"
GORGIAS = {
    "GORGIAS_BASE_URL": "https://acme.gorgias.com/api",
    "GORGIAS_EMAIL": "ada@example.com",
    "GORGIAS_API_KEY": "key",
}


def load(root: Path, **env: str) -> Settings:
    return Settings.load(env, root=root)


@pytest.fixture
def control(tmp_path):
    """A control port that answers /ready with a ready line, and counts how often it was asked."""
    asked = []
    ready = {
        "ready": True,
        "gorgias": {
            "url": "http://127.0.0.1:1",
            "email": "owner@sandbox.test",
            "api_key": "k",
            "client_id": "c",
            "client_secret": "s",
        },
        "hubspot": {"url": "http://127.0.0.1:2", "access_token": "t"},
        "erp": {"url": f"sqlite:///{tmp_path}/erp.db"},
        "control": {"url": "http://127.0.0.1:3"},
    }

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            body = json.dumps(ready).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", ready, asked
    server.shutdown()
    server.server_close()
    thread.join()


def test_nothing_set_is_the_sandbox_and_asks_nobody(tmp_path, control):
    url, _, asked = control
    settings = load(tmp_path, SANDBOX_CONTROL_URL=url)
    assert settings.targets == {"gorgias": "sandbox", "hubspot": "sandbox", "erp": "sandbox"}
    assert settings.target == "sandbox"
    assert settings.writes_on
    assert settings.poll_s == 10
    assert asked == []


def test_the_sandbox_is_asked_once_for_its_addresses_and_again_when_it_must_be_fresh(tmp_path, control):
    url, ready, asked = control
    settings = load(tmp_path, SANDBOX_CONTROL_URL=url)
    assert settings.gorgias().base_url == ready["gorgias"]["url"]
    assert settings.hubspot().access_token.get_secret_value() == "t"
    assert settings.erp_url() == ready["erp"]["url"]
    assert asked == ["/ready"]
    settings.hubspot(fresh=True)
    assert asked == ["/ready", "/ready"]


def test_without_a_sandbox_the_error_says_how_to_start_one(tmp_path):
    settings = load(tmp_path, SANDBOX_CONTROL_URL="http://127.0.0.1:9")
    with pytest.raises(Misconfigured) as caught:
        settings.gorgias()
    assert "no sandbox answers" in str(caught.value)
    assert "sync-platform sandbox" in caught.value.remedy


@pytest.mark.parametrize(
    ("env", "missing"),
    [
        ({"GORGIAS_BASE_URL": "acme"}, "GORGIAS_EMAIL and GORGIAS_API_KEY"),
        ({"GORGIAS_EMAIL": "ada@example.com"}, "GORGIAS_BASE_URL, GORGIAS_API_KEY"),
        ({"GORGIAS_BASE_URL": "acme", "GORGIAS_CLIENT_ID": "c"}, "GORGIAS_CLIENT_SECRET"),
        ({"HUBSPOT_BASE_URL": "https://api.example.com"}, "HUBSPOT_ACCESS_TOKEN"),
    ],
)
def test_part_of_a_set_names_what_is_missing(tmp_path, env, missing):
    with pytest.raises(Misconfigured, match=missing):
        load(tmp_path, **env)


@pytest.mark.parametrize("name", ["GORGIAS_WEBHOOK_SECRET", "GORGIAS_HMAC_SECRET", "HUBSPOT_CLIENT_SECRET"])
def test_a_webhook_secret_alone_does_not_make_an_account(tmp_path, name):
    assert load(tmp_path, **{name: CANARY}).target == "sandbox"


def test_a_real_account_does_not_write_until_a_person_says_so(tmp_path):
    assert not load(tmp_path, HUBSPOT_ACCESS_TOKEN="t").writes_on
    assert load(tmp_path, HUBSPOT_ACCESS_TOKEN="t", SYNC_WRITES="on").writes_on
    assert not load(tmp_path, SYNC_WRITES="off").writes_on
    assert load(tmp_path, HUBSPOT_ACCESS_TOKEN="t").poll_s == 30
    assert load(tmp_path, HUBSPOT_ACCESS_TOKEN="t").reserve == 0.2


def test_an_erp_that_is_set_is_live_unless_it_is_the_sandboxs_own(tmp_path, control):
    url, ready, _ = control
    assert load(tmp_path, SANDBOX_CONTROL_URL=url, ERP_DATABASE_URL="sqlite:///other.db").targets["erp"] == "live"
    same = load(tmp_path, SANDBOX_CONTROL_URL=url, ERP_DATABASE_URL=ready["erp"]["url"])
    assert same.targets["erp"] == "sandbox"


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("acme", "https://acme.gorgias.com"),
        ("acme.gorgias.com", "https://acme.gorgias.com"),
        ("https://acme.gorgias.com/", "https://acme.gorgias.com"),
        ("https://acme.gorgias.com/api/", "https://acme.gorgias.com"),
        ("http://127.0.0.1:8701/api", "http://127.0.0.1:8701"),
    ],
)
def test_the_gorgias_address_is_understood_however_it_is_written(given, found):
    assert gorgias_url(given) == found


@pytest.mark.parametrize(
    "given", ["http://acme.gorgias.com", f"https://u:{CANARY}@acme.gorgias.com", "ftp://x.test", "https://"]
)
def test_an_address_that_would_leak_or_mislead_is_refused_without_being_shown(tmp_path, given):
    with pytest.raises(Misconfigured, match="GORGIAS_BASE_URL") as caught:
        load(tmp_path, **GORGIAS | {"GORGIAS_BASE_URL": given})
    assert CANARY not in str(caught.value)


def test_loopback_is_known_by_name_and_address():
    assert is_loopback("http://localhost:1")
    assert is_loopback("http://127.9.9.9")
    assert is_loopback("http://[::1]:8701")
    assert not is_loopback("https://localhost.example.com")
    assert not is_loopback("https://10.0.0.1")


def test_a_secret_in_a_file_is_read_again_each_time(tmp_path):
    file = tmp_path / "token"
    file.write_text("first\n")
    settings = load(tmp_path, HUBSPOT_ACCESS_TOKEN_FILE=str(file))
    assert settings.hubspot().access_token.get_secret_value() == "first"
    file.write_text("second\n")
    assert settings.secret("HUBSPOT_ACCESS_TOKEN") == "second"
    assert settings.hubspot().access_token.get_secret_value() == "second"


def test_a_secret_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(Misconfigured, match="HUBSPOT_ACCESS_TOKEN_FILE"):
        load(tmp_path, HUBSPOT_ACCESS_TOKEN_FILE="nowhere")


def test_a_secret_given_twice_is_refused(tmp_path):
    with pytest.raises(Misconfigured, match="both set"):
        load(tmp_path, HUBSPOT_ACCESS_TOKEN="a", HUBSPOT_ACCESS_TOKEN_FILE="b")


def test_the_environment_wins_over_the_file_beside_the_workspace(tmp_path):
    (tmp_path / ".env").write_text("SYNC_PHONE_REGION=DE\nSYNC_RUN_MAX_S=60\nSOMETHING_ELSE=1\n")
    settings = load(tmp_path, SYNC_PHONE_REGION="FR")
    assert settings.sync_phone_region == "FR"
    assert settings.sync_run_max_s == 60


def test_an_empty_value_is_not_set(tmp_path):
    (tmp_path / ".env").write_text("HUBSPOT_ACCESS_TOKEN=\nSYNC_WRITES=\n")
    assert load(tmp_path, ERP_DATABASE_URL="").target == "sandbox"


def test_paths_stand_below_the_root(tmp_path):
    settings = load(tmp_path, SYNC_POLICY="mine.yaml")
    assert settings.ledger_url == f"sqlite:///{tmp_path}/.sync/ledger.db"
    assert settings.policy_file == tmp_path / "mine.yaml"
    assert settings.runtime_dir.is_dir()


@pytest.mark.parametrize("name", sorted(secret_names()))
def test_no_secret_is_ever_shown(tmp_path, name):
    env = GORGIAS | {"HUBSPOT_ACCESS_TOKEN": "t", "GORGIAS_CLIENT_ID": "c", "GORGIAS_CLIENT_SECRET": "s", name: CANARY}
    settings = load(tmp_path, **env)
    assert settings.secret(name) == CANARY
    shown = [repr(settings), str(settings), settings.model_dump_json(), f"{settings!r}"]
    shown += [repr(settings.gorgias()), repr(settings.hubspot())]
    assert not [text for text in shown if CANARY in text]


@pytest.mark.parametrize("name", setting_names())
def test_no_error_repeats_a_value_or_its_siblings(tmp_path, name):
    env = dict.fromkeys(secret_names(), CANARY) | {name: CANARY, "SYNC_RUN_MAX_S": f"{CANARY}-soon"}
    with pytest.raises(Misconfigured) as caught:
        load(tmp_path, **env)
    told = "".join(traceback.format_exception(caught.value)) + str(caught.value) + caught.value.remedy
    assert CANARY not in told
    assert "SYNC_RUN_MAX_S" in told


def test_every_setting_says_what_it_is():
    silent = [name for name, info in Settings.model_fields.items() if not info.description]
    assert silent == []
