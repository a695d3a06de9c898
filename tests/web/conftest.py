"""What the tests of the pages share: a filled ledger, people who are signed in, a browser that watches the console."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from starlette.testclient import TestClient

from sync_platform.settings import Settings
from sync_platform.web import pages
from tests.web.filled import OPERATOR_TOKEN, VIEWER_TOKEN, Filled, env_of, filled_world
from tests.web.serving import served

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
WAIT_MS = 15_000
BASE = "https://testserver"


@pytest.fixture(scope="session")
def filled_ledger(tmp_path_factory: pytest.TempPathFactory) -> Filled:
    """A ledger in which every page has something to show, with `.settings`; no test changes it."""
    with filled_world(tmp_path_factory.mktemp("filled")) as made:
        return made


@contextmanager
def client_of(settings: Settings, token: str | None = None, name: str = "kim") -> Iterator[TestClient]:
    """The pages over a ledger, as somebody who signed in with this token; nobody without one."""
    app = pages.app(settings)
    client = TestClient(app, base_url=BASE, follow_redirects=False)
    try:
        if token is not None:
            answer = client.post("/login", data={"name": name, "token": token, "next": "/"})
            assert answer.status_code == 303, answer.text
        yield client
    finally:
        client.close()
        app.state.shelf.close()


@pytest.fixture(scope="session")
def reader(filled_ledger: Filled) -> Iterator[TestClient]:
    """Somebody who may read."""
    with client_of(filled_ledger.settings, VIEWER_TOKEN, "rae") as client:
        yield client


@pytest.fixture(scope="session")
def operator(filled_ledger: Filled) -> Iterator[TestClient]:
    """Somebody who may act; what acts needs a ledger of its own: `client_of` over `filled_world`."""
    with client_of(filled_ledger.settings, OPERATOR_TOKEN) as client:
        yield client


@pytest.fixture
def nobody(filled_ledger: Filled) -> Iterator[TestClient]:
    """Somebody who is not signed in."""
    with client_of(filled_ledger.settings) as client:
        yield client


# --- a browser


# Not for the session: while it is there a loop runs in this process, and no test of the door could begin its own.
@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A real browser; skips where there is none."""
    playwright = pytest.importorskip("playwright.sync_api", reason="no playwright: install the extra `e2e`")
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine")
    with playwright.sync_playwright() as driver:
        # Without its sandbox: a container's root may not make one, and the page is our own.
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def pages_url(filled_ledger: Filled) -> Iterator[str]:
    """The address of the pages of a `serve` process over the filled ledger."""
    settings = filled_ledger.settings
    with served(settings.root, settings.ledger_url, **env_of(settings)) as one:
        yield one.ready["pages"]


class Watched:
    """Pages in a browser, with all that went wrong in them: errors, words on the console, answers of 400 and more."""

    def __init__(self, browser: Any) -> None:
        self._browser = browser
        self._contexts: list[Any] = []
        self.wrong: list[str] = []

    def page(self, **settings: Any) -> Any:
        """An empty page of a context of its own; `settings` are the browser's (viewport, color_scheme)."""
        context = self._browser.new_context(**{"viewport": {"width": 1400, "height": 900}, **settings})
        context.set_default_timeout(WAIT_MS)
        self._contexts.append(context)
        page = context.new_page()
        wrong = self.wrong
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda said: wrong.append(said.text) if said.type in ("error", "warning") else None)
        page.on(
            "response", lambda answer: wrong.append(f"{answer.status} {answer.url}") if answer.status >= 400 else None
        )
        return page

    def signed_in(self, url: str, path: str = "/", *, token: str = OPERATOR_TOKEN, **settings: Any) -> Any:
        """A page at `path`, after somebody signed in."""
        page = self.page(**settings)
        page.goto(f"{url}/login?next={'/acts' if '?' in path else path}")
        page.get_by_label("Your name").fill("kim")
        page.get_by_label("Token", exact=True).fill(token)
        page.get_by_role("button", name="Sign in").click()
        page.get_by_role("button", name="Sign out").wait_for()
        if "?" in path:
            page.goto(f"{url}{path}")
        return page

    def close(self) -> None:
        """End every context."""
        for context in self._contexts:
            context.close()


@pytest.fixture
def watched(chromium: Any) -> Iterator[Watched]:
    """Pages in a browser over any address; nothing may have gone wrong in them that the test did not take away."""
    one = Watched(chromium)
    yield one
    one.close()
    assert one.wrong == []


@pytest.fixture
def browse(watched: Watched, pages_url: str) -> Callable[..., Any]:
    """`browse("/records", color_scheme="dark")`: that page of the filled ledger, signed in as an operator."""
    return lambda path="/", **settings: watched.signed_in(pages_url, path, **settings)
