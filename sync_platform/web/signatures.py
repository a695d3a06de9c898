"""How Gorgias and HubSpot sign what they send. Pure: no clock, no settings, no request.

Gorgias [code, doc of the specification]: `X-Gorgias-Hmac-SHA256` is the HMAC-SHA256 of the raw body, as base64 by most
receivers' account, as hex by one; both are taken. HubSpot [doc, ran]: v1 is the hex SHA-256 of secret + body, v2 of
secret + method + address + body; v3 is the base64 HMAC-SHA256 of method + address + body + timestamp, where some
percent codes of the address are decoded first. Every comparison takes the same time wherever two texts differ.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re

TIMESTAMP_WINDOW_S = 300.0

_DECODED = {
    "3A": ":", "2F": "/", "3F": "?", "40": "@", "21": "!", "24": "$", "27": "'", "28": "(", "29": ")", "2A": "*",
    "2C": ",", "3B": ";",
}  # fmt: skip
_CODE = re.compile("%(" + "|".join(_DECODED) + ")", re.IGNORECASE)
_HEX = re.compile("[0-9a-fA-F]{64}")
_MILLISECONDS = re.compile("[0-9]{1,15}")


def same(given: str, wanted: str) -> bool:
    """Whether two texts are one, in a time that does not tell where they differ."""
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), wanted.encode())


def gorgias(secret: str, body: bytes, given: str) -> bool:
    """Whether `given` is the HMAC-SHA256 of the raw body, in base64 or in hex."""
    return hmac.compare_digest(_digest(given), hmac.new(secret.encode(), body, hashlib.sha256).digest())


def hubspot_v1(secret: str, body: bytes, given: str) -> bool:
    """Whether `given` is the hex digest over secret and body."""
    return same(given, hashlib.sha256(secret.encode() + body).hexdigest())


def hubspot_v2(secret: str, method: str, address: str, body: bytes, given: str) -> bool:
    """Whether `given` is the hex digest over secret, method, address (with its query) and body."""
    return same(given, hashlib.sha256((secret + method + address).encode() + body).hexdigest())


def hubspot_v3(secret: str, method: str, address: str, body: bytes, timestamp: str, given: str) -> bool:
    """Whether `given` is the HMAC over method, address, body and timestamp (milliseconds as text).

    Whether the timestamp is of now is another question: see `in_window`.
    """
    source = (method + decoded(address)).encode() + body + timestamp.encode("utf-8", "surrogatepass")
    return same(given, base64.b64encode(hmac.new(secret.encode(), source, hashlib.sha256).digest()).decode())


def in_window(timestamp: str, now_s: float) -> bool:
    """Whether a timestamp in milliseconds is at most five minutes away from `now_s`, to either side."""
    return bool(_MILLISECONDS.fullmatch(timestamp)) and abs(int(timestamp) / 1000 - now_s) <= TIMESTAMP_WINDOW_S


def decoded(address: str) -> str:
    """The address with those percent codes decoded that HubSpot decodes before it hashes, and no others."""
    return _CODE.sub(lambda found: _DECODED[found[1].upper()], address)


def _digest(given: str) -> bytes:
    """The bytes that a header spells; empty where it spells none."""
    if _HEX.fullmatch(given):
        return bytes.fromhex(given)
    try:
        return base64.b64decode(given.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        return b""
