"""Signatures: the vendors' vectors, and what must not pass."""

import base64
import hashlib
import hmac

import pytest

from sync_platform.web import signatures

SECRET = "yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy"
ADDRESS = "https://www.example.com/webhook_uri"
BODY = b'{"example_field":"example_value"}'


def test_the_published_vectors_of_hubspot_hold():
    assert signatures.hubspot_v2(
        SECRET, "GET", ADDRESS, b"", "eee2dddcc73c94d699f5e395f4b9d454a069a6855fbfa152e91e88823087200e"
    )
    assert signatures.hubspot_v2(
        SECRET, "POST", ADDRESS, BODY, "9569219f8ba981ffa6f6f16aa0f48637d35d728c7e4d93d0d52efaa512af7900"
    )
    assert signatures.hubspot_v3(
        SECRET, "POST", ADDRESS, BODY, "1600000000000", "X/SMhHoncjNtnWuaoB8EztvqiL5vPUsrIyAVR/WBGAQ="
    )


def test_v1_is_the_digest_of_secret_and_body():
    right = hashlib.sha256(SECRET.encode() + BODY).hexdigest()
    assert signatures.hubspot_v1(SECRET, BODY, right)
    assert not signatures.hubspot_v1(SECRET, BODY + b" ", right)
    assert not signatures.hubspot_v1(SECRET, BODY, right.upper())


@pytest.mark.parametrize(
    ("called", "hashed"),
    [
        ("https://a.example/h?x=%3A%2F%3F%40%21", "https://a.example/h?x=:/?@!"),
        ("https://a.example/h?x=%24%27%28%29%2A%2C%3B", "https://a.example/h?x=$'()*,;"),
        ("https://a.example/h?x=%2f%3a", "https://a.example/h?x=/:"),
        ("https://a.example/h?x=%20%25%26%3D%2B%23", "https://a.example/h?x=%20%25%26%3D%2B%23"),
        ("https://a.example/h?x=%253A", "https://a.example/h?x=%253A"),
        ("https://a.example/h?x=ä", "https://a.example/h?x=ä"),
    ],
)
def test_only_the_named_percent_codes_are_decoded_before_hashing(called, hashed):
    assert signatures.decoded(called) == hashed


@pytest.mark.parametrize("encoding", ["base64", "hex", "HEX"])
def test_gorgias_may_sign_in_base64_or_in_hex(encoding):
    digest = hmac.new(b"key", BODY, hashlib.sha256).digest()
    given = {"base64": base64.b64encode(digest).decode(), "hex": digest.hex(), "HEX": digest.hex().upper()}[encoding]
    assert signatures.gorgias("key", BODY, given)
    assert not signatures.gorgias("other", BODY, given)
    assert not signatures.gorgias("key", BODY + b"x", given)


@pytest.mark.parametrize("given", ["", "=", "ä", "z" * 64, "00", "\x00", "0" * 64, "A" * 44, "\ud800"])
def test_what_is_no_signature_is_refused_and_raises_nothing(given):
    assert not signatures.gorgias("key", BODY, given)
    assert not signatures.hubspot_v1("key", BODY, given)
    assert not signatures.hubspot_v2("key", "POST", ADDRESS, BODY, given)
    assert not signatures.hubspot_v3("key", "POST", ADDRESS, BODY, given, given)


@pytest.mark.parametrize(
    ("timestamp", "taken"),
    [
        ("1000000", True),
        ("1300000", True),
        ("700000", True),
        ("1300001", False),
        ("699999", False),
        ("", False),
        ("-1000000", False),
        ("1e6", False),
        ("1000000.5", False),
        ("१०००", False),
        ("9" * 400, False),
        (" 1000000", False),
    ],
)
def test_a_timestamp_counts_within_five_minutes_to_either_side(timestamp, taken):
    assert signatures.in_window(timestamp, 1000.0) is taken
