"""Deliveries that a seed draws: malformed, forged, replayed. None is answered with a 5xx, none is stored."""

import random
import time

import pytest

from tests.web.calls import CLIENT, KEYED, PUBLIC, SHARED, door_at, dumped, event, gorgias_headers, ticket, v3_headers

SEED = 20260301
NOW = 1_772_359_200.0
PARTS = (
    b"{",
    b"}",
    b"[",
    b"]",
    b'"',
    b"\\",
    b",",
    b":",
    b"1",
    b"-",
    b"e9",
    b"null",
    b"\xff",
    b"\x00",
    b"ticket",
    b"id",
)


class Drawn:
    """One hostile call after the other; `call` gives path, body, headers, and what it must be answered with."""

    def __init__(self, seed: int, replayed: list[tuple[str, bytes, dict[str, str]]]) -> None:
        self.draw = random.Random(seed)
        self.replayed = replayed
        self.kinds = (self.forged, self.broken, self.signed_rubbish, self.deep, self.stale, self.replay, self.tampered,
                      self.elsewhere)  # fmt: skip

    def call(self):
        return self.draw.choice(self.kinds)()

    def body(self):
        return self.draw.choice((dumped(ticket(self.draw.randrange(1, 2**62))), dumped([event(9)]), self.noise()))

    def noise(self):
        return b"".join(self.draw.choices(PARTS, k=self.draw.randrange(40)))

    def path(self):
        return self.draw.choice(("/hooks/gorgias", "/hooks/hubspot"))

    def forged(self):
        body, wrong = self.body(), self.draw.randbytes(8).hex()
        headers = self.draw.choice(
            (
                gorgias_headers(body, shared=wrong),
                gorgias_headers(body, keyed=wrong, encoding=self.draw.choice(("hex", "base64"))),
                v3_headers(body, secret=wrong, at_s=NOW),
                v3_headers(body, uri="https://other.example.com/hooks/hubspot", at_s=NOW),
                {"X-HubSpot-Signature": wrong, "X-HubSpot-Signature-Version": self.draw.choice(("v1", "v2", "v9", ""))},
                {},
            )
        )
        return self.path(), body, headers, {403}

    def broken(self):
        """A signature with a character turned, doubled, or of another alphabet."""
        body = self.body()
        headers = gorgias_headers(body) | v3_headers(body, at_s=NOW)
        name = self.draw.choice(sorted(headers))
        value = headers[name]
        at = self.draw.randrange(len(value))
        turned = self.draw.choice((value[:at], value + value, chr(self.draw.randrange(1, 256)) + value, value[::-1]))
        if turned.strip() == value or turned == value:
            turned = ""
        path = "/hooks/hubspot" if "HubSpot" in name else "/hooks/gorgias"
        return path, body, headers | {name: turned}, {403}

    def signed_rubbish(self):
        """What a secret in wrong hands, or a template gone wrong, could send."""
        body = self.noise() + b"~"
        path = self.path()
        return path, body, gorgias_headers(body) if "gorgias" in path else v3_headers(body, at_s=NOW), {400}

    def deep(self):
        levels = self.draw.randrange(33, 3_000)
        left, right = self.draw.choice(((b"[", b"]"), (b'{"ticket":', b"}")))
        body = left * levels + b"1" + right * self.draw.choice((levels, 0))
        path = self.path()
        return path, body, gorgias_headers(body) if "gorgias" in path else v3_headers(body, at_s=NOW), {400}

    def stale(self):
        apart = self.draw.choice((-1, 1)) * self.draw.uniform(300.1, 1e9)
        body = dumped([event(self.draw.randrange(1, 99))])
        return "/hooks/hubspot", body, v3_headers(body, at_s=max(0.0, NOW + apart)), {403}

    def replay(self):
        return *self.draw.choice(self.replayed), {200}

    def tampered(self):
        """A real delivery whose body, or place, was changed."""
        path, body, headers = self.draw.choice(self.replayed)
        if self.draw.random() < 0.5:
            at = self.draw.randrange(len(body))
            return path, body[:at] + bytes([body[at] ^ (1 << self.draw.randrange(8))]) + body[at + 1 :], headers, {403}
        other = "/hooks/hubspot" if "gorgias" in path else "/hooks/gorgias"
        return other, body, headers, {403}

    def elsewhere(self):
        path = self.draw.choice(("/", "/hooks/", "/hooks/gorgias/..", "/records", "/metrics", "/hooks/erp", "/\x00"))
        return path, self.noise(), {}, {404}


def known():
    """Deliveries that were stored before."""
    out = []
    for number in range(1, 6):
        body = dumped(ticket(number))
        out.append(("/hooks/gorgias", body, gorgias_headers(body)))
        body = dumped([event(number)])
        out.append(("/hooks/hubspot", body, v3_headers(body, at_s=NOW)))
    return out


@pytest.mark.parametrize("many", [pytest.param(5_000), pytest.param(100_000, marks=pytest.mark.slow)])
def test_no_hostile_call_is_stored_and_none_is_answered_with_a_fault_of_ours(tmp_path, many):
    with door_at(tmp_path, f"sqlite:///{tmp_path / 'ledger.db'}", now_s=lambda: NOW) as door:
        replayed = known()
        for path, body, headers in replayed:
            assert door.call(path, body, headers)[0] == 200
        before = door.rows()
        drawn = Drawn(SEED, replayed)
        answers: dict[int, int] = {}
        began = time.process_time()
        for number in range(many):
            path, body, headers, wanted = drawn.call()
            status, answer = door.call(path, body, headers)
            assert status in wanted, (SEED, number, path, status, answer)
            assert answer == {"ok": True} if status == 200 else set(answer) == {"error"}
            answers[status] = answers.get(status, 0) + 1
        print(many, answers, f"{(time.process_time() - began) / many * 1e6:.0f} µs of CPU each")
        assert door.rows() == before
        assert set(answers) == {200, 400, 403, 404}
        found = str(door.counts())
        assert sum(answers.values()) == many
        assert not any(secret in found for secret in (SHARED, KEYED, CLIENT, PUBLIC))
