"""Raw values of people and systems into one spelling each; comparison and matching happen on these forms only.

Every function is total over `str` (rubbish gives None, never an exception) and idempotent: a normalised value
normalises to itself. Nothing here knows about systems, fields or records.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from functools import lru_cache
from html.parser import HTMLParser
from typing import Any

import phonenumbers
from email_validator import EmailNotValidError, validate_email
from phonenumbers import NumberParseException, PhoneNumberFormat, ValidationResult

EMAIL_LENGTH_MAX = 320
PHONE_LENGTH_MAX = 250
DECIMAL_DIGITS_MAX = 14

# NUL cannot be stored by PostgreSQL, a lone surrogate cannot be encoded as UTF-8.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_PHONE_START = re.compile(r"^(?:tel:)?[\s+＋(\[.\-\d]")
_BLOCK_TAGS = frozenset(
    {"address", "article", "blockquote", "br", "div", "footer", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr"}
    | {"li", "ol", "p", "pre", "section", "table", "tr", "ul"}
)
_SILENT_TAGS = frozenset({"script", "style", "head", "title"})

_ISO_639_1 = """
    aa ab ae af ak am an ar as av ay az ba be bg bh bi bm bn bo br bs ca ce ch co cr cs cu cv cy da de dv dz ee el en
    eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia id ie ig ii ik io is it iu ja jv ka
    kg ki kj kk kl km kn ko kr ks ku kv kw ky la lb lg li ln lo lt lu lv mg mh mi mk ml mn mr ms mt my na nb nd ne ng nl
    nn no nr nv ny oc oj om or os pa pi pl ps pt qu rm rn ro ru rw sa sc sd se sg si sk sl sm sn so sq sr ss st su sv sw
    ta te tg th ti tk tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu
"""
LANGUAGES = frozenset(_ISO_639_1.split())
# Codes that ISO 639 withdrew and that CRMs still hand out.
_LANGUAGES_WITHDRAWN = {"iw": "he", "in": "id", "ji": "yi", "jw": "jv", "mo": "ro", "sh": "sr"}


def text(raw: Any) -> str | None:
    """One spelling of free text: NFC, line feeds only, no outer white space; None when nothing is left or not a str."""
    if not isinstance(raw, str):
        return None
    storable = _UNSTORABLE.sub("", raw).replace("\r\n", "\n").replace("\r", "\n")
    return unicodedata.normalize("NFC", storable).strip() or None


def blank(value: Any) -> bool:
    """Whether a value says nothing: None, white space, an empty list or object, a name without a full name.

    False, 0 and `UNSET` are not blank: «unknown» is neither blank nor a value.
    """
    if value is None:
        return True
    if isinstance(value, str):
        return not value.strip()
    if isinstance(value, dict):
        return blank(value["full"]) if "full" in value else all(blank(part) for part in value.values())
    if isinstance(value, (list, tuple, set, frozenset)):
        return all(blank(part) for part in value)
    return False


@lru_cache(maxsize=8192)
def _email_parts(raw: str) -> tuple[str, str] | None:
    if len(raw) > EMAIL_LENGTH_MAX or _UNSTORABLE.search(raw):
        return None
    try:
        # `check_deliverability` would ask DNS; `test_environment` lets `.test` addresses pass.
        found = validate_email(raw, check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        return None
    return found.local_part, found.ascii_domain.lower()


def email_text(raw: Any) -> str | None:
    """The canonical spelling of an e-mail address: lower case, domain in ASCII; None when it is not an address."""
    parts = _email_parts(raw.strip()) if isinstance(raw, str) else None
    if parts is None:
        return None
    return f"{unicodedata.normalize('NFC', parts[0].lower())}@{parts[1]}"


def email(raw: Any) -> str | None:
    """The match form of an e-mail address: as `email_text`, but casefolded; None when it is not an address."""
    spelt = email_text(raw)
    if spelt is None:
        return None
    local, _, domain = spelt.rpartition("@")
    return f"{unicodedata.normalize('NFC', local.casefold())}@{domain}"


def _e164(raw: str, region: str) -> str | None:
    try:
        number = phonenumbers.parse(raw, region)
    except NumberParseException:
        return None
    # An extension is not part of E.164: two people behind one switchboard must not become one.
    if number.extension:
        return None
    if phonenumbers.is_possible_number_with_reason(number) != ValidationResult.IS_POSSIBLE:
        return None
    return phonenumbers.format_number(number, PhoneNumberFormat.E164)


@lru_cache(maxsize=8192)
def _phone(raw: str, region: str) -> str | None:
    if len(raw) > PHONE_LENGTH_MAX or not _PHONE_START.match(raw):
        return None
    found = _e164(raw, region)
    if found is None and raw.startswith("00"):
        # Where 00 is not the region's own prefix for abroad, people type it all the same.
        found = _e164("+" + raw[2:].lstrip(), region)
    if found is None or _e164(found, region) != found:
        return None
    return found


def phone(raw: Any, region: str = "US") -> str | None:
    """E.164 of a number as typed in `region` (ISO 3166 alpha-2); None when it is none, local or has an extension."""
    if not isinstance(raw, str):
        return None
    # Numbers pasted from right-to-left text carry invisible direction marks.
    return _phone("".join(one for one in raw if unicodedata.category(one) != "Cf").strip(), region)


def language(raw: Any) -> str | None:
    """ISO 639-1 of a language tag (`en`, `EN_us`, `pt-br`, withdrawn `iw`); None when it is none."""
    if not isinstance(raw, str):
        return None
    code = re.split(r"[-_]", raw.strip().lower(), maxsplit=1)[0]
    code = _LANGUAGES_WITHDRAWN.get(code, code)
    return code if code in LANGUAGES else None


def moment(raw: Any) -> datetime | None:
    """The aware UTC time of an ISO 8601 text; a text without an offset counts as UTC."""
    if not isinstance(raw, str):
        return None
    try:
        found = datetime.fromisoformat(raw.strip())
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def when(raw: Any) -> str | None:
    """`YYYY-MM-DDTHH:MM:SS.ffffff+00:00` of an ISO 8601 text; None when it is none. These texts sort by time."""
    found = moment(raw)
    return None if found is None else found.isoformat(timespec="microseconds")


def decimal(raw: Any, places: int = 2) -> str | None:
    """A decimal number as text with `places` places, half to even; None when it is none or has over 14 digits."""
    if isinstance(raw, bool) or not isinstance(raw, (str, int, float, Decimal)):
        return None
    try:
        number = Decimal(raw.strip() if isinstance(raw, str) else str(raw))
        if not number.is_finite() or number.adjusted() >= DECIMAL_DIGITS_MAX - places:
            return None
        number = number.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_EVEN)
    except InvalidOperation:
        return None
    if number.adjusted() >= DECIMAL_DIGITS_MAX - places:
        return None
    return f"{abs(number) if number.is_zero() else number:f}"


def whole(raw: Any) -> int | None:
    """A whole number from an int, a float or a text such as `3` or `3.0`; None when it is none or beyond 64 bits."""
    if isinstance(raw, bool) or not isinstance(raw, (str, int, float)):
        return None
    try:
        number = Decimal(raw.strip() if isinstance(raw, str) else str(raw))
    except InvalidOperation:
        return None
    if not number.is_finite() or number.adjusted() > 18 or number != number.to_integral_value():
        return None
    found = int(number)
    return found if -(2**63) <= found < 2**63 else None


class _TextOfHtml(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self.silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002 - the parser's signature
        if tag in _SILENT_TAGS:
            self.silent += 1
        elif tag in _BLOCK_TAGS:
            self.parts.append("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in _SILENT_TAGS:
            self.silent = max(0, self.silent - 1)
        elif tag in _BLOCK_TAGS and tag != "br":
            self.parts.append("\n")

    def handle_data(self, data: str) -> None:
        if not self.silent:
            self.parts.append(re.sub(r"\s+", " ", data))


def html_to_text(html: Any) -> str | None:
    """What a reader sees of an HTML message: blocks on lines of their own, no mark-up or scripts; None when nothing."""
    if not isinstance(html, str):
        return None
    parser = _TextOfHtml()
    parser.feed(html)
    parser.close()
    lines = [re.sub(r"[ \t\xa0]+", " ", line).strip() for line in "".join(parser.parts).split("\n")]
    return text(re.sub(r"\n{3,}", "\n\n", "\n".join(lines)))


def respelt(one: Any, other: Any) -> bool:
    """Whether two values differ in capitals and blanks alone."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(respelt(value, other[name]) for name, value in one.items())
    if isinstance(one, str) and isinstance(other, str):
        return one.casefold().split() == other.casefold().split()
    return bool(one == other)
