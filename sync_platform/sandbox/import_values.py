"""The values of an export in the sandbox's own words. Every reader raises ValueError naming what it cannot read."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime, tzinfo
from email.utils import parseaddr, parsedate_to_datetime

_STATUS = {
    "new": ("new",),
    "open": ("open", "opened", "active", "in progress", "reopened", "waiting on us", "2"),
    "waiting": (
        "pending", "hold", "on hold", "on-hold", "waiting", "waiting on customer", "waiting on contact",
        "waiting on third party", "waiting for customer", "snoozed", "awaiting reply", "3",
    ),
    "resolved": ("solved", "resolved", "done", "completed", "4"),
    "closed": ("closed", "archived", "5"),
}  # fmt: skip
_PRIORITY = {
    "low": ("low", "lowest", "minor", "1"),
    "normal": ("normal", "medium", "standard", "default", "-", "none", "2"),
    "high": ("high", "major", "3"),
    "critical": ("urgent", "critical", "highest", "emergency", "blocker", "4"),
}
_CHANNEL = {
    "email": ("email", "mail", "gmail", "outlook", "inbox", "outbound email"),
    "chat": ("chat", "live chat", "messaging", "web chat", "web widget", "native messaging"),
    "phone": ("phone", "voice", "call", "phone call", "phone call inbound", "phone call outbound", "telephone"),
    "contact_form": ("contact form", "web form", "webform", "form", "web", "portal", "help center", "help centre"),
    "facebook": ("facebook", "facebook post"),
    "facebook-messenger": ("facebook messenger", "messenger"),
    "instagram-direct-message": ("instagram", "instagram direct", "instagram direct message"),
    "whatsapp": ("whatsapp",),
    "sms": ("sms", "text", "text message"),
    "api": ("api", "web service", "other"),
}
_RATING = {
    5: ("good", "extremely happy", "very satisfied", "excellent", "very happy", "great", "awesome"),
    4: ("happy", "satisfied"),
    3: ("neutral", "okay", "ok", "average"),
    2: ("unhappy", "dissatisfied", "not good"),
    1: ("bad", "extremely unhappy", "very dissatisfied", "terrible", "very unhappy", "poor"),
}
_NO_RATING = ("", "-", "offered", "unoffered", "none", "not rated", "n/a", "no")
_ADDRESS = re.compile(r"[^@\s<>(),;:\"]+@[^@\s<>(),;:\"]+\.[^@\s<>(),;:\".]+")
_SPAN = (datetime(1990, 1, 1, tzinfo=UTC).timestamp(), datetime(2100, 1, 1, tzinfo=UTC).timestamp())
_NUMBERED = re.compile(r"(\d{1,2})([./-])(\d{1,2})\2(\d{4})(?:,?[ T]+(.*))?")
_CLOCKS = ("%H:%M:%S", "%H:%M", "%I:%M:%S %p", "%I:%M %p", "%I:%M%p", "%H:%M:%S.%f")
_WORDED = ("%b %d, %Y", "%B %d, %Y", "%d %b %Y", "%d %B %Y", "%d-%b-%Y", "%d-%b-%y")


def _folded(table: dict[str, tuple[str, ...]]) -> dict[str, str]:
    return {one: name for name, spellings in table.items() for one in (name, *spellings)}


_STATUSES, _PRIORITIES, _CHANNELS = _folded(_STATUS), _folded(_PRIORITY), _folded(_CHANNEL)


def status(text: str) -> str:
    """new, open, waiting, resolved or closed; blank is open. Numbers are those of exports that number their states."""
    found = _STATUSES.get(_plain(text)) if text else "open"
    if found is None:
        raise ValueError("the status is not known")
    return found


def priority(text: str) -> str:
    """low, normal, high or critical; blank is normal."""
    found = _PRIORITIES.get(_plain(text)) if text else "normal"
    if found is None:
        raise ValueError("the priority is not known")
    return found


def channel(text: str) -> str:
    """A Gorgias channel; blank is email, and whatever is not known is api: there is no end to their names."""
    return _CHANNELS.get(_plain(text), "api") if text else "email"


def rating(text: str) -> int | None:
    """1 to 5 from a number ("4", "4.0", "4/5", "4 stars"), stars or words; None for none."""
    plain = _plain(text)
    if plain in _NO_RATING:
        return None
    for score, words in _RATING.items():
        if plain in words or re.match(rf"({'|'.join(words)}) with comment", plain):
            return score
    stars = text.count("★") or text.count("⭐")
    number = re.fullmatch(r"([1-5])(?:[.,]0+)?(?:\s*(?:/|of|out of)\s*5)?(?:\s*stars?)?", plain)
    if number or 1 <= stars <= 5:
        return int(number[1]) if number else stars
    raise ValueError("the rating is not one of 1 to 5")


def address(text: str) -> tuple[str, str]:
    """(name, e-mail) from an address, alone or as "Ada Example <ada@example.com>"; both may be blank."""
    if not text:
        return "", ""
    name, email = parseaddr(text) if "<" in text else ("", text.removeprefix("mailto:"))
    if not _ADDRESS.fullmatch(email) or len(email) > 254:
        raise ValueError("the e-mail is not an address")
    return name.strip(), email


def tags(text: str) -> tuple[str, ...]:
    """The names of a list with commas or semicolons, also as "[a, b]"; blank space alone parts single words."""
    bare = text.strip("[]{} ")
    parts = re.split(r"[,;|]", bare) if re.search(r"[,;|]", bare) else bare.split()
    return tuple(dict.fromkeys(name for part in parts if (name := part.strip(" \"'")[:255])))


class Times:
    """Reads times: ISO 8601, with or without a zone, numbers with slashes, dots or dashes, English words, mail dates,
    and seconds or milliseconds since 1970. What bears no zone is of `zone`; `days_first` settles 03/04/2026."""

    def __init__(self, zone: tzinfo = UTC, *, days_first: bool = False) -> None:
        self._zone = zone
        self._days_first = days_first

    def read(self, text: str) -> datetime | None:
        """Aware UTC, or None for a blank."""
        if not text or text == "-":
            return None
        try:
            found = self._number(text) or self._iso(text) or self._numbered(text) or self._worded(text)
            moment = found or parsedate_to_datetime(text)
            moment = (moment if moment.tzinfo else moment.replace(tzinfo=self._zone)).astimezone(UTC)
        except (ValueError, OverflowError, TypeError, IndexError):
            raise ValueError("is not a time that can be read") from None
        if not _SPAN[0] <= moment.timestamp() <= _SPAN[1]:
            raise ValueError("is not a time between 1990 and 2100")
        return moment

    def _number(self, text: str) -> datetime | None:
        if not re.fullmatch(r"\d{9,10}(\.\d+)?|\d{12,13}", text):
            return None
        seconds = float(text)
        return datetime.fromtimestamp(seconds / 1000 if len(text.partition(".")[0]) > 10 else seconds, UTC)

    def _iso(self, text: str) -> datetime | None:
        if not re.match(r"\d{4}-\d\d?-\d\d?|\d{4}/\d\d?/\d\d?", text):
            return None
        head, _, rest = text.replace("/", "-").partition("T" if "T" in text[:11] else " ")
        day = "-".join(part.zfill(2) for part in head.split("-"))
        bare = re.sub(r"\s*(UTC|GMT|Z)$", "+00:00", rest.strip())
        bare = re.sub(r"\s+([+-]\d\d:?\d\d)$", r"\1", bare)
        if re.search(r"[ap]m$", bare, re.IGNORECASE):
            return self._at(datetime.fromisoformat(day), bare)
        return datetime.fromisoformat(f"{day}T{bare}" if bare else day)

    def _numbered(self, text: str) -> datetime | None:
        """31.12.2026 is always day first; with slashes or dashes it is as told, unless only one reading is possible."""
        found = _NUMBERED.fullmatch(text)
        if not found:
            return None
        first, second = int(found[1]), int(found[3])
        days_first = found[2] == "." or first > 12 or (self._days_first and second <= 12)
        day, month = (first, second) if days_first else (second, first)
        return self._at(datetime(int(found[4]), month, day), found[5] or "")  # noqa: DTZ001 - the zone comes after

    def _worded(self, text: str) -> datetime | None:
        found = re.fullmatch(r"(\w{3,9} \d{1,2}, \d{4}|\d{1,2}[ -]\w{3,9}[ -]\d{2,4})(?:,? (?:at )?(.*))?", text)
        if not found:
            return None
        for form in _WORDED:
            try:
                day = datetime.strptime(found[1], form)  # noqa: DTZ007 - the zone comes after
            except ValueError:
                continue
            return self._at(day, found[2] or "")
        return None

    def _at(self, day: datetime, clock: str) -> datetime:
        utc = re.search(r"\s*(UTC|GMT|Z)$", clock)
        bare = clock[: utc.start()] if utc else clock
        zone = UTC if utc else day.tzinfo
        if not bare:
            return day.replace(tzinfo=zone)
        for form in _CLOCKS:
            try:
                at = datetime.strptime(bare.upper(), form)  # noqa: DTZ007 - the zone comes after
            except ValueError:
                continue
            return day.replace(hour=at.hour, minute=at.minute, second=at.second, tzinfo=zone)
        raise ValueError("no time of the day")


def moment(seconds: float) -> datetime:
    """Aware UTC from seconds since 1970."""
    return datetime.fromtimestamp(seconds, UTC)


def days_first(texts: Iterable[str]) -> bool:
    """Whether dates like 03/04/2026 begin with the day: when some first number is above 12 and no second one is."""
    found = [match for text in texts if (match := _NUMBERED.fullmatch(text)) and match[2] != "."]
    return any(int(match[1]) > 12 for match in found) and not any(int(match[3]) > 12 for match in found)


def _plain(text: str) -> str:
    return re.sub(r"[\s_]+", " ", text.strip().casefold())
