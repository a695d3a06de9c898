"""Checks of bodies and queries as Gorgias makes them: unknown names and bad values are 400 with a message per field.

The documentation shows the texts of Python's marshmallow («Missing data for required field.»), so the others are taken
from there too [inferred], nested messages keyed by the index of the list item.

Every check also says in JSON Schema what it takes; the account's own description is made of that.
"""

import re
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from sync_platform.sandbox.gorgias.http import Request

Check = Callable[[Any], Any]
Json = dict[str, Any]
Schema = Mapping[str, Check]

MISSING = "Missing data for required field."
UNKNOWN = "Unknown field."
INT64_MAX = 2**63 - 1


def words(text: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(text.split())


CHANNELS = words(
    "aircall api chat contact_form email facebook facebook-mention facebook-messenger "
    "facebook-recommendations help-center instagram-ad-comment instagram-comment instagram-direct-message "
    "instagram-mention internal-note phone sms twitter twitter-direct-message whatsapp yotpo-review "
)
VIAS = CHANNELS | words(
    "form gorgias_chat helpdesk instagram offline_capture rule self_service shopify twilio yotpo zendesk "
)
LANGUAGES = words(
    "aa ab ae af ak am an ar as av ay az ba be bg bh bi bm bn bo br bs ca ce ch co cr cs cu cv cy da de "
    "dv dz ee el en eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia id "
    "ie ig ii ik io is it iu ja jv ka kg ki kj kk kl km kn ko kr ks ku kv kw ky la lb lg li ln lo lt lu "
    "lv mg mh mi mk ml mn mr ms mt my na nb nd ne ng nl nn no nr nv ny oc oj om or os pa pi pl ps pt qu "
    "rm rn ro ru rw sa sc sd se sg si sk sl sm sn so sq sr ss st su sv sw ta te tg th ti tk tl tn to tr "
    "ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu "
)
_SLUG = re.compile(r"[a-z0-9][a-z0-9_-]{0,254}")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+")
_ZONE = re.compile(r"UTC|GMT|[A-Z][A-Za-z_]+(/[A-Za-z0-9_+-]+){1,2}")


class Invalid(Exception):
    """A value that does not fit; `messages` is a list of texts or a dict by field or index."""

    def __init__(self, messages: list[str] | dict[str, Any] | str) -> None:
        super().__init__("invalid value")
        self.messages = [messages] if isinstance(messages, str) else messages


class Described:
    """A check that says in JSON Schema what it takes."""

    __slots__ = ("_schema", "_take")

    def __init__(self, take: Check, schema: Json | Callable[[], Json]) -> None:
        self._take = take
        self._schema = schema

    def __call__(self, value: Any) -> Any:
        """The value as the handlers work with it. Raises Invalid."""
        return self._take(value)

    @property
    def schema(self) -> Json:
        """What is taken. Leniency of the server (digits as text for a number) is not promised."""
        return self._schema if isinstance(self._schema, dict) else self._schema()


def described(schema: Json | Callable[[], Json]) -> Callable[[Check], Described]:
    """Give a check that is a function of its own its schema."""
    return lambda check: Described(check, schema)


def late(make: Callable[[], Check]) -> Described:
    """A check that depends on switches: made anew each time."""

    def take(value: Any) -> Any:
        return make()(value)

    return Described(take, lambda: schema_of(make()))


def schema_of(check: Check) -> Json:
    """What a check takes, in JSON Schema. Raises TypeError for one that does not say."""
    found = getattr(check, "schema", None)
    if not isinstance(found, dict):
        raise TypeError(f"{getattr(check, '__qualname__', check)} takes values that nothing describes")
    return found


def or_null(schema: Json) -> Json:
    """The schema, or null."""
    kind = schema.get("type")
    if not isinstance(kind, str):
        return {"anyOf": [schema, {"type": "null"}]}
    more = {"enum": [*schema["enum"], None]} if "enum" in schema else {}
    return {**schema, "type": [kind, "null"], **more}


def _nullable(check: Check, schema: Json | Callable[[], Json], *, null: bool) -> Check:
    def run(value: Any) -> Any:
        if value is None:
            if null:
                return None
            raise Invalid("Field may not be null.")
        return check(value)

    if not null:
        return Described(run, schema)
    return Described(run, lambda: or_null(schema if isinstance(schema, dict) else schema()))


def text(*, longest: int | None = None, shortest: int = 0, null: bool = True) -> Check:
    """A string of `shortest` to `longest` characters."""

    def run(value: Any) -> str:
        if not isinstance(value, str):
            raise Invalid("Not a valid string.")
        if len(value) < shortest:
            raise Invalid(f"Shorter than minimum length {shortest}.")
        if longest is not None and len(value) > longest:
            raise Invalid(f"Longer than maximum length {longest}.")
        return value

    schema: Json = {"type": "string"}
    if shortest:
        schema["minLength"] = shortest
    if longest is not None:
        schema["maxLength"] = longest
    return _nullable(run, schema, null=null)


def integer(*, low: int = 0, high: int = INT64_MAX, null: bool = False) -> Check:
    """A whole number; text of digits is taken too, as queries carry it."""

    def run(value: Any) -> int:
        if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,20}", value):
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            raise Invalid("Not a valid integer.")
        if not low <= value <= high:
            raise Invalid(f"Must be greater than or equal to {low} and less than or equal to {high}.")
        return value

    return _nullable(run, {"type": "integer", "minimum": low, "maximum": high}, null=null)


def boolean(*, null: bool = False) -> Check:
    """Either boolean; the words are taken too, as queries carry them."""

    def run(value: Any) -> bool:
        found = (
            value
            if isinstance(value, bool)
            else {"true": True, "1": True, "false": False, "0": False}.get(
                value.lower() if isinstance(value, str) else ""
            )
        )
        if found is None:
            raise Invalid("Not a valid boolean.")
        return bool(found)

    return _nullable(run, {"type": "boolean"}, null=null)


def one_of(choices: Collection[str], *, null: bool = False) -> Check:
    """One of some words, with regard to case."""

    def run(value: Any) -> str:
        if not isinstance(value, str) or value not in choices:
            raise Invalid(f"Must be one of: {', '.join(sorted(choices))}.")
        return value

    return _nullable(run, {"type": "string", "enum": sorted(choices)}, null=null)


def slug_or(known: Collection[str]) -> Check:
    """A known channel or the slug of a custom one [doc]."""

    def run(value: Any) -> str:
        if not isinstance(value, str) or not (value in known or _SLUG.fullmatch(value)):
            raise Invalid("Not a valid channel.")
        return value

    return _nullable(run, {"type": "string", "pattern": _whole(_SLUG)}, null=False)


def email(*, null: bool = True) -> Check:
    """An e-mail address of at most 320 characters, kept as spelled."""

    def run(value: Any) -> str:
        if not isinstance(value, str) or len(value) > 320 or not _EMAIL.fullmatch(value):
            raise Invalid("Not a valid email address.")
        return value

    return _nullable(run, {"type": "string", "maxLength": 320, "pattern": _whole(_EMAIL)}, null=null)


@described(lambda: {"type": ["string", "null"], "pattern": _whole(_ZONE)})
def timezone(value: Any) -> Any:
    """A name of the IANA database, by its form, or null."""
    if value is None or (isinstance(value, str) and _ZONE.fullmatch(value)):
        return value
    raise Invalid("Not a valid timezone.")


def moment(*, null: bool = True) -> Check:
    """An ISO 8601 time, `Z` and milliseconds allowed [recorded]; gives microseconds since 1970. No zone means UTC."""

    def run(value: Any) -> int:
        try:
            found = datetime.fromisoformat(value)
            aware = found if found.tzinfo else found.replace(tzinfo=UTC)
            us = micros(aware)
            _ = _EPOCH + timedelta(microseconds=us)  # it can be shown again: a zone may lead beyond year 9999
        except (TypeError, ValueError, OverflowError) as error:
            raise Invalid("Not a valid datetime.") from error
        return us

    return _nullable(run, {"type": "string", "format": "date-time"}, null=null)


def micros(at: datetime) -> int:
    """Microseconds since 1970 of an aware time."""
    delta = at - _EPOCH
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@described({})
def anything(value: Any) -> Any:
    """Free JSON."""
    return value


@described({"type": ["object", "null"]})
def mapping(value: Any) -> Any:
    """A JSON object or null."""
    if value is None or isinstance(value, dict):
        return value
    raise Invalid("Not a valid mapping type.")


def nested(schema: Schema, *, required: Collection[str] = (), null: bool = False) -> Check:
    """An object with these fields and no other."""

    def run(value: Any) -> dict[str, Any]:
        return load(value, schema, required)

    def shape() -> Json:
        return {
            "type": "object",
            "properties": {name: schema_of(check) for name, check in schema.items()},
            "additionalProperties": False,
            **({"required": list(required)} if required else {}),
        }

    return _nullable(run, shape, null=null)


def many(item: Check, *, shortest: int = 0, longest: int = 10_000, null: bool = False) -> Check:
    """A list; messages are keyed by index."""

    def run(value: Any) -> list[Any]:
        if not isinstance(value, list):
            raise Invalid("Not a valid list.")
        if not shortest <= len(value) <= longest:
            raise Invalid(f"Length must be between {shortest} and {longest}.")
        good: list[Any] = []
        bad: dict[str, Any] = {}
        for index, entry in enumerate(value):
            try:
                good.append(item(entry))
            except Invalid as error:
                bad[str(index)] = error.messages
        if bad:
            raise Invalid(bad)
        return good

    def shape() -> Json:
        return {"type": "array", "items": schema_of(item), "minItems": shortest, "maxItems": longest}

    return _nullable(run, shape, null=null)


def bulk(name: str) -> Schema:
    """The body of calls on several objects: {name: [ids]}, at least one."""
    return {name: many(integer(), shortest=1)}


def load(value: Any, schema: Schema, required: Collection[str] = ()) -> dict[str, Any]:
    """Check an object. Raises Invalid with every field's messages at once."""
    if not isinstance(value, dict):
        raise Invalid({"_schema": ["Invalid input type."]})
    good: dict[str, Any] = {}
    bad: dict[str, Any] = {name: [MISSING] for name in required if name not in value}
    for name, entry in value.items():
        check = schema.get(name)
        if check is None:
            bad[name] = [UNKNOWN]
            continue
        try:
            good[name] = check(entry)
        except Invalid as error:
            bad[name] = error.messages
    if bad:
        raise Invalid(bad)
    return good


def body(request: Request, schema: Schema, required: Collection[str] = ()) -> dict[str, Any]:
    """The checked body of a call. Raises ApiError 400."""
    return _answer(request, lambda: load(request.json(), schema, required))


def query(request: Request, schema: Schema, repeated: Collection[str] = ()) -> dict[str, Any]:
    """The checked query: unknown names are 400 [doc]; names in `repeated` collect into lists [doc: repeated keys]."""
    if not request.raw_query:
        return {}
    found: dict[str, Any] = {}
    for name, value in request.query():
        if name in repeated:
            found.setdefault(name, []).append(value)
        else:
            found[name] = value
    return _answer(request, lambda: load(found, schema))


def no_query(request: Request) -> None:
    """Refuse any query parameter."""
    query(request, {})


def _whole(pattern: re.Pattern[str]) -> str:
    return f"^({pattern.pattern})$"


def _answer(request: Request, run: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    try:
        return run()
    except Invalid as error:
        data = error.messages if isinstance(error.messages, dict) else {"_schema": error.messages}
        raise request.invalid(data) from error
