"""How HubSpot signs the calls of its webhooks.

Facts: v1 is the hex SHA-256 of secret + body, v2 that of secret + method + URI + body, both in `X-HubSpot-Signature`
with `X-HubSpot-Signature-Version`; v3 is the base64 HMAC-SHA256 under the secret of method + URI + body + timestamp, in
`X-HubSpot-Signature-v3` with `X-HubSpot-Request-Timestamp` in milliseconds [doc, ran]. The URI is the one that was
called, query included, with some percent codes decoded before hashing [doc]. Webhooks of private apps are documented
with v1; whether they carry v3 too is not established: switch `webhook_signatures`. The secret is the app's client
secret.
"""

import base64
import hashlib
import hmac
import re

_DECODED = {
    "3A": ":", "2F": "/", "3F": "?", "40": "@", "21": "!", "24": "$", "27": "'", "28": "(", "29": ")", "2A": "*",
    "2C": ",", "3B": ";",
}  # fmt: skip
_CODE = re.compile("%(" + "|".join(_DECODED) + ")", re.IGNORECASE)


def decoded(uri: str) -> str:
    """The address with those percent codes decoded that HubSpot decodes before hashing."""
    return _CODE.sub(lambda found: _DECODED[found[1].upper()], uri)


def v1(secret: str, body: bytes) -> str:
    """Hex digest over secret and body."""
    return hashlib.sha256(secret.encode() + body).hexdigest()


def v2(secret: str, method: str, uri: str, body: bytes) -> str:
    """Hex digest over secret, method, address and body."""
    return hashlib.sha256((secret + method + uri).encode() + body).hexdigest()


def v3(secret: str, method: str, uri: str, body: bytes, timestamp: str) -> str:
    """Base64 of the HMAC over method, address, body and timestamp (epoch milliseconds as text)."""
    source = (method + decoded(uri)).encode() + body + timestamp.encode()
    return base64.b64encode(hmac.new(secret.encode(), source, hashlib.sha256).digest()).decode()


def headers(which: str, secret: str, uri: str, body: bytes, now_ms: int) -> dict[str, str]:
    """The headers of one POST; `which` names versions joined by `+`, v1 and v2 share a header."""
    found: dict[str, str] = {}
    for version in which.split("+"):
        if version == "v3":
            timestamp = str(now_ms)
            found["X-HubSpot-Signature-v3"] = v3(secret, "POST", uri, body, timestamp)
            found["X-HubSpot-Request-Timestamp"] = timestamp
        else:
            found["X-HubSpot-Signature-Version"] = version
            found["X-HubSpot-Signature"] = v1(secret, body) if version == "v1" else v2(secret, "POST", uri, body)
    return found
