"""Reading and writing one kind of value: text, e-mail, phone, name, word, number, time, agent, set, reference.

Each form is a pair (get, put) under these laws, for every canonical c and every value v that a system can show:
get(put(c), c) = c; get(put(get(v, c)), c) = get(v, c); blank stays blank. They follow from one shape: `read` gives the
canonical reading of a value alone, with read(put(read(v))) = read(v), and `finest` keeps the current value wherever it
has the same reading as what the system shows.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import NamedTuple

from sync_platform.core import normalize
from sync_platform.core.mappings_shapes import (
    AWAITS_CUSTOMER,
    NO_COUNTERPART,
    Get,
    Lexicon,
    Put,
    Unmappable,
    agent_email,
    words_of,
)
from sync_platform.core.records import UNSET, Json
from sync_platform.errors import BadInput

Read = Callable[[Json, Lexicon], Json]


class Form(NamedTuple):
    """How a value is read and written, and what is lost on the way."""

    get: Get
    put: Put
    loses: str = ""


def bad(name: str, why: str) -> BadInput:
    """The error for a value that nobody can read; `why` must not contain the value."""
    return BadInput(f"{name}: {why}", field=name)


def exact(read: Read) -> Get:
    """A `get` for values of which nothing is lost."""
    return lambda theirs, _current, lexicon: read(theirs, lexicon)


def finest(read: Read, put: Put) -> Get:
    """A `get` for values that are coarser there: what reads the same as the current value is the current value."""

    def get(theirs: Json, current: Json, lexicon: Lexicon) -> Json:
        value = read(theirs, lexicon)
        if value is UNSET or current is UNSET or normalize.blank(current):
            return value
        try:
            shown = read(put(current, lexicon), lexicon)
        except (Unmappable, BadInput):
            return value
        return current if shown == value else value

    return get


def as_is(canonical: Json, _lexicon: Lexicon) -> Json:
    """A `put` for values that are written as they are."""
    return canonical


def text(name: str, length_max: int | None = None) -> Form:
    """Free text; longer than `length_max` characters is cut there and stays whole in the record."""

    def read(theirs: Json, _lexicon: Lexicon) -> Json:
        if theirs is not None and not isinstance(theirs, str):
            raise bad(name, "is not text")
        return normalize.text(theirs)

    def put(canonical: Json, _lexicon: Lexicon) -> Json:
        return normalize.text(canonical[:length_max]) if canonical is not None else None

    if length_max is None:
        return Form(exact(read), as_is, "outer white space")
    return Form(finest(read, put), put, f"outer white space; what comes after {length_max} characters")


def language(name: str) -> Form:
    """ISO 639-1; regions and scripts (`en-gb`, `zh-tw`) are not part of the record and stay where they are."""

    def read(theirs: Json, _lexicon: Lexicon) -> Json:
        if normalize.blank(theirs):
            return None
        code = normalize.language(theirs)
        if code is None:
            raise bad(name, "is not a language")
        return code

    return Form(exact(read), as_is, "region and script of a language")


def _read_email(name: str) -> Read:
    def read(theirs: Json, _lexicon: Lexicon) -> Json:
        if normalize.blank(theirs):
            return None
        spelt = normalize.email_text(theirs)
        if spelt is None:
            raise bad(name, "is not an e-mail address")
        return spelt

    return read


def email(name: str) -> Form:
    """One e-mail address, lower-cased. HubSpot lower-cases on write [doc]; Gorgias may keep capitals."""
    return Form(exact(_read_email(name)), as_is, "capitals")


def phone_text(theirs: Json, lexicon: Lexicon) -> str | None:
    """E.164, or the trimmed text of what cannot be read as a number of its own."""
    return normalize.phone(theirs, lexicon.region) or normalize.text(theirs)


def phone(name: str) -> Form:
    """One phone number. HubSpot stores free text as typed, an account setting may reformat it [inferred]."""

    def read(theirs: Json, lexicon: Lexicon) -> Json:
        if theirs is not None and not isinstance(theirs, str):
            raise bad(name, "is not text")
        return phone_text(theirs, lexicon)

    return Form(exact(read), as_is, "how the number was typed")


def one_of(name: str, spelt: Callable[[Json, Lexicon], str | None], loses: str) -> Form:
    """A list of which the record holds one: the current value if it is among them, else the first that is readable."""

    def get(theirs: Json, current: Json, lexicon: Lexicon) -> Json:
        if theirs is None:
            return None
        if not isinstance(theirs, list):
            raise bad(name, "is not a list")
        readable = [value for value in (spelt(one, lexicon) for one in theirs) if value is not None]
        if current in readable:
            return current
        return readable[0] if readable else None

    def put(canonical: Json, _lexicon: Lexicon) -> Json:
        return [] if canonical is None else [canonical]

    return Form(get, put, loses)


def emails(name: str) -> Form:
    """Further e-mail addresses as a list."""
    return one_of(name, lambda one, _lexicon: normalize.email_text(one), "capitals; all further addresses but one")


def phones(name: str) -> Form:
    """Phone numbers as a list."""
    return one_of(name, phone_text, "how the number was typed; all numbers but one")


def a_name(full: str | None, first: str | None, last: str | None) -> Json:
    """The canonical name: None, or {"full", "first", "last"}; first and last only where a side gave them apart."""
    joined = full or " ".join(part for part in (first, last) if part)
    return {"full": joined, "first": first, "last": last} if joined else None


def name_whole(name: str) -> Form:
    """A name in one text (Gorgias: the server itself splits it at the first blank, and refuses parts [code])."""

    def read(theirs: Json, _lexicon: Lexicon) -> Json:
        if theirs is not None and not isinstance(theirs, str):
            raise bad(name, "is not text")
        return a_name(normalize.text(theirs), None, None)

    def put(canonical: Json, _lexicon: Lexicon) -> Json:
        return canonical["full"] if canonical else None

    return Form(finest(read, put), put, "which part is first and which is last name")


def name_parts(name: str, first_attribute: str, last_attribute: str) -> Form:
    """A name in two texts; a name that nobody gave apart stands whole in the first one."""

    def read(theirs: Json, _lexicon: Lexicon) -> Json:
        first, last = (_part(name, theirs, attribute) for attribute in (first_attribute, last_attribute))
        return a_name(None, first, last) if last else a_name(first, None, None)

    def put(canonical: Json, _lexicon: Lexicon) -> Json:
        if not canonical:
            return {first_attribute: None, last_attribute: None}
        first, last = canonical["first"], canonical["last"]
        if last and (first or last == canonical["full"]):
            return {first_attribute: first, last_attribute: last}
        return {first_attribute: canonical["full"], last_attribute: None}

    return Form(finest(read, put), put, "a full name that is more than first and last name")


def name_full(name: str, full_attribute: str, first_attribute: str, last_attribute: str) -> Form:
    """A name whole and in parts."""

    def read(theirs: Json, _lexicon: Lexicon) -> Json:
        return a_name(*(_part(name, theirs, one) for one in (full_attribute, first_attribute, last_attribute)))

    def put(canonical: Json, _lexicon: Lexicon) -> Json:
        parts = canonical or {"full": None, "first": None, "last": None}
        return {full_attribute: parts["full"], first_attribute: parts["first"], last_attribute: parts["last"]}

    return Form(exact(read), put, "outer white space")


def _part(name: str, theirs: Json, attribute: str) -> str | None:
    value = theirs.get(attribute) if isinstance(theirs, dict) else None
    if value is not None and not isinstance(value, str):
        raise bad(name, "is not text")
    return normalize.text(value)


def word(name: str) -> Form:
    """A word of a vocabulary table; where one of theirs stands for several of ours, the finer state stays."""

    def read(theirs: Json, lexicon: Lexicon) -> Json:
        if normalize.blank(theirs):
            return None
        canonical = lexicon.readings.get(name, {}).get(str(theirs))
        if canonical is None:
            raise bad(name, "is not in the vocabulary table of the policy")
        return canonical

    def put(canonical: Json, lexicon: Lexicon) -> Json:
        if canonical is None:
            return None
        theirs = words_of(lexicon.vocabulary.get(name, {}).get(canonical))
        if not theirs:
            raise Unmappable(name, NO_COUNTERPART)
        return theirs[0]

    return Form(finest(read, put), put, "states that share a word there")


def flag(name: str, *, as_text: bool = False) -> Form:
    """Yes, no or not said; `as_text`: "true" and "false" on the wire."""

    def read(theirs: Json, _lexicon: Lexicon) -> Json:
        if normalize.blank(theirs):
            return None
        spelt = {"true": True, "false": False, "1": True, "0": False}.get(str(theirs).strip().lower())
        if spelt is None:
            raise bad(name, "is neither true nor false")
        return spelt

    def put(canonical: Json, _lexicon: Lexicon) -> Json:
        return str(canonical).lower() if as_text and canonical is not None else canonical

    return Form(exact(read), put)


def number(name: str, *, as_text: bool = False) -> Form:
    """A whole number; `as_text`: digits on the wire."""

    def read(theirs: Json, _lexicon: Lexicon) -> Json:
        if normalize.blank(theirs):
            return None
        found = normalize.whole(theirs)
        if found is None:
            raise bad(name, "is not a whole number")
        return found

    def put(canonical: Json, _lexicon: Lexicon) -> Json:
        return str(canonical) if as_text and canonical is not None else canonical

    return Form(exact(read), put)


def money(name: str) -> Form:
    """A decimal text with two places; HubSpot may show `12.50` as `12.5` [inferred]."""

    def read(theirs: Json, _lexicon: Lexicon) -> Json:
        if normalize.blank(theirs):
            return None
        found = normalize.decimal(theirs)
        if found is None:
            raise bad(name, "is not a decimal number")
        return found

    return Form(exact(read), as_is, "more than two decimal places")


def time(name: str) -> Form:
    """A time in ISO 8601, to the microsecond."""

    def read(theirs: Json, _lexicon: Lexicon) -> Json:
        if normalize.blank(theirs):
            return None
        found = normalize.when(theirs)
        if found is None:
            raise bad(name, "is not a time")
        return found

    return Form(exact(read), as_is)


def time_ms(name: str) -> Form:
    """A time to the millisecond, `2026-03-08T01:02:03.123Z` on the wire (HubSpot [doc])."""

    def read(theirs: Json, _lexicon: Lexicon) -> Json:
        if normalize.blank(theirs):
            return None
        found = normalize.moment(theirs)
        if found is None:
            raise bad(name, "is not a time")
        whole_ms = found - timedelta(microseconds=found.microsecond % 1000)
        return whole_ms.isoformat(timespec="microseconds")

    def put(canonical: Json, _lexicon: Lexicon) -> Json:
        return None if canonical is None else f"{canonical[:23]}Z"

    return Form(finest(read, put), put, "less than a millisecond")


def agent(name: str) -> Form:
    """An agent's or owner's id there, the e-mail in the record."""

    def read(theirs: Json, lexicon: Lexicon) -> Json:
        if normalize.blank(theirs):
            return None
        return agent_email(lexicon.agents.get(str(theirs))) or UNSET

    def put(canonical: Json, lexicon: Lexicon) -> Json:
        if canonical is None:
            return None
        agent_id = lexicon.agent_ids.get(canonical)
        if agent_id is None:
            raise Unmappable(name, NO_COUNTERPART)
        return agent_id

    return Form(exact(read), put, "agents who have no account with the same e-mail there")


def agent_by_email(name: str) -> Form:
    """An agent's e-mail there as well."""

    def read(theirs: Json, _lexicon: Lexicon) -> Json:
        if theirs is not None and not isinstance(theirs, str):
            raise bad(name, "is not text")
        return agent_email(theirs)

    return Form(exact(read), as_is, "capitals")


def elements(name: str) -> Form:
    """A set of texts, sorted; capitals count (Gorgias's tag names are case-sensitive [doc])."""

    def read(theirs: Json, _lexicon: Lexicon) -> Json:
        if theirs is None:
            return []
        if not isinstance(theirs, list) or not all(isinstance(one, str) for one in theirs):
            raise bad(name, "is not a list of texts")
        return sorted({spelt for spelt in map(normalize.text, theirs) if spelt})

    def put(canonical: Json, _lexicon: Lexicon) -> Json:
        return sorted(canonical or [])

    return Form(exact(read), put, "outer white space; order")


def customer_reference(name: str) -> Form:
    """The external id of a customer there, the record id here."""

    def read(theirs: Json, lexicon: Lexicon) -> Json:
        return None if normalize.blank(theirs) else lexicon.to_record.get(str(theirs), UNSET)

    def put(canonical: Json, lexicon: Lexicon) -> Json:
        if canonical is None:
            return None
        external_id = lexicon.to_external.get(canonical)
        if external_id is None:
            raise Unmappable(name, AWAITS_CUSTOMER)
        return external_id

    return Form(exact(read), put)


def first_message(name: str) -> Form:
    """The first message of a conversation, {"id", "at", "text"}; only its text is in the record."""

    def read(theirs: Json, _lexicon: Lexicon) -> Json:
        return _part(name, theirs, "text")

    def put(canonical: Json, _lexicon: Lexicon) -> Json:
        return None if canonical is None else {"id": None, "at": None, "text": canonical}

    return Form(exact(read), put, "outer white space; mark-up")


def older_stays(old: Json, new: Json) -> bool:
    """`keep` for first messages: pages come newest first, so a later message must not replace an earlier one."""
    if not isinstance(new, dict) or not new.get("at"):
        return isinstance(old, dict)
    if not isinstance(old, dict) or not old.get("at"):
        return False
    return _age(new) > _age(old)


def _age(message: Json) -> tuple[str, int, str]:
    shown = str(message.get("id") or "")
    return normalize.when(message["at"]) or str(message["at"]), len(shown), shown
