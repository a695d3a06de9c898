"""The seeded world in neutral shapes; each system turns them into its own rows.

Every name, address and number is invented: e-mail domains are example.com, example.org and .test. Person `n` and case
`n` are functions of the seed and `n` alone, so that a world of any size is walked without being held in memory.
"""

import html
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TypeVar, overload

from sync_platform.sandbox import people_words as words

SYSTEMS = ("gorgias", "hubspot", "erp")
BEGIN_AT = datetime(2025, 10, 1, tzinfo=UTC)
END_AT = datetime(2026, 11, 10, tzinfo=UTC)  # nothing in the seeded world is later than this
KEPT_MAX = 20_000  # up to this many rows are kept in memory once made; beyond it each walk makes them anew
# Hours at which American and European clocks change; some times are drawn close to them.
CLOCK_CHANGES = (
    datetime(2025, 10, 26, 1, tzinfo=UTC),
    datetime(2025, 11, 2, 6, tzinfo=UTC),
    datetime(2026, 3, 8, 7, tzinfo=UTC),
    datetime(2026, 3, 29, 1, tzinfo=UTC),
    datetime(2026, 10, 25, 1, tzinfo=UTC),
    datetime(2026, 11, 1, 6, tzinfo=UTC),
)


@dataclass(frozen=True, slots=True)
class Agent:
    """A member of staff: a Gorgias user and a HubSpot owner with the same e-mail."""

    n: int
    email: str
    name: str


@dataclass(frozen=True, slots=True)
class View:
    """How one system shows a person; spellings differ between systems. Times are aware UTC."""

    name: str
    first: str
    last: str
    emails: tuple[str, ...]
    phones: tuple[str, ...]
    language: str | None
    company: str | None
    note: str | None
    opt_out: bool | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who exists in one to three systems; `views` has a key for each: gorgias, hubspot, erp."""

    n: int
    views: Mapping[str, View]
    customer_no: str
    credit_status: str  # ok | hold | blocked
    lifetime_value: Decimal
    order_count: int
    invented: bool = True  # else of an export: nothing is added to what it says


@dataclass(frozen=True, slots=True)
class CaseMessage:
    """One message of a ticket, oldest first in `Case.messages`."""

    at: datetime
    from_agent: bool
    html: str
    text: str
    public: bool


@dataclass(frozen=True, slots=True)
class Case:
    """A ticket, which exists in exactly one system at the start; its person (by `n`) exists there too."""

    n: int
    person: int
    system: str
    subject: str
    status: str  # new | open | waiting | resolved | closed
    priority: str  # low | normal | high | critical
    channel: str  # a Gorgias channel name
    agent: int | None
    tags: tuple[str, ...]
    messages: tuple[CaseMessage, ...]
    created_at: datetime
    updated_at: datetime
    closed_at: datetime | None
    score: int | None  # satisfaction, 1..5
    reference: str | None = None  # its number in the helpdesk that it was imported from


T = TypeVar("T")


class Walk(Sequence[T]):
    """Rows 1..count made on demand by `make(n)`; small walks keep what they made. Can be walked many times."""

    def __init__(self, count: int, make: Callable[[int], T]) -> None:
        self._count = count
        self._make = make
        self._kept: dict[int, T] | None = {} if count <= KEPT_MAX else None

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> list[T]: ...
    def __getitem__(self, index: int | slice) -> T | list[T]:
        if isinstance(index, slice):
            return [self._row(i + 1) for i in range(*index.indices(self._count))]
        if not -self._count <= index < self._count:
            raise IndexError(index)
        return self._row(index % self._count + 1)

    def __iter__(self) -> Iterator[T]:
        return map(self._row, range(1, self._count + 1))

    def _row(self, n: int) -> T:
        if self._kept is None:
            return self._make(n)
        row = self._kept.get(n)
        if row is None:
            row = self._kept[n] = self._make(n)
        return row


def generate(
    seed: int, customers: int, tickets: int, overlap: float
) -> tuple[list[Agent], Sequence[Person], Sequence[Case]]:
    """The world of a seed: the same arguments give the same rows. `overlap`: share of people in two or three systems.

    Raises ValueError for negative counts, an overlap outside 0..1, or tickets without a customer.
    """
    if customers < 0 or tickets < 0 or not 0 <= overlap <= 1:
        raise ValueError("customers and tickets must be >= 0 and overlap between 0 and 1")
    if tickets and not customers:
        raise ValueError("tickets need at least one customer")
    agents = [
        Agent(n, f"{name.split()[0].lower()}@support.example.com", name) for n, name in enumerate(words.AGENT_NAMES, 1)
    ]
    people = Walk(customers, lambda n: _person(seed, n, overlap))
    cases = Walk(tickets, lambda n: _case(seed, n, people, overlap))
    return agents, people, cases


def _placement(draw: random.Random, overlap: float) -> tuple[str, ...]:
    """In which systems a person exists; must be the first draws of the person's generator."""
    if draw.random() < overlap:
        if draw.random() < 0.5:
            return SYSTEMS
        left_out = draw.choice(SYSTEMS)
        return tuple(system for system in SYSTEMS if system != left_out)
    return (draw.choices(SYSTEMS, (50, 30, 20))[0],)


def _person(seed: int, n: int, overlap: float) -> Person:
    draw = random.Random(f"{seed}:person:{n}")
    systems = _placement(draw, overlap)
    # Every 40th person bears the name of somebody else.
    naming = random.Random(f"{seed}:name:{n - 7 if n % 40 == 0 else n}")
    language = naming.choices(list(words.LANGUAGE_WEIGHTS), list(words.LANGUAGE_WEIGHTS.values()))[0]
    firsts, lasts = words.NAMES[language]
    first, last = naming.choice(firsts), naming.choice(lasts)
    emails, phones = _addresses(draw, seed, n, systems, f"{first[1]}.{last[1]}{n}")
    company = draw.choice(words.COMPANIES) if draw.random() < 0.4 else None
    note = draw.choice(words.NOTES) if draw.random() < 0.3 else None
    opt_out = draw.random() < 0.12
    born_at = _moment(draw, BEGIN_AT, END_AT - timedelta(days=20))
    views = {}
    for system in systems:
        created_at = born_at + timedelta(seconds=draw.randrange(86_400 * 5))
        first_here, last_here = _spelling(draw, language, first, last)
        views[system] = View(
            name=_full_name(language, first_here, last_here),
            first=first_here,
            last=last_here,
            emails=emails[system],
            phones=phones[system],
            language=language if draw.random() < 0.85 else None,
            company=None if company is None or draw.random() < 0.2 else company[0 if draw.random() < 0.8 else 1],
            note=None
            if note is None or draw.random() < 0.4
            else note
            if draw.random() < 0.8
            else draw.choice(words.NOTES),
            opt_out=_opt_out(draw, system, opt_out),
            created_at=created_at,
            updated_at=_moment(draw, created_at, END_AT),
        )
    orders = int(draw.expovariate(0.3))
    return Person(
        n=n,
        views=views,
        customer_no=f"C-{n:06d}",
        credit_status=draw.choices(("ok", "hold", "blocked"), (88, 8, 4))[0],
        lifetime_value=Decimal(orders * draw.randrange(500, 20_000)) / 100,
        order_count=orders,
    )


def _spelling(draw: random.Random, language: str, first: tuple[str, str], last: tuple[str, str]) -> tuple[str, str]:
    """How one system spells the name: mostly as written, sometimes in Latin letters, with an emoji or a stray blank."""
    roll = draw.random()
    if roll < 0.06 and language in ("de", "fr", "es", "pl"):
        return first[1], last[1]
    if roll > 0.98:
        return f"{first[0]} {draw.choice(words.EMOJI)}", last[0]
    if roll > 0.96:
        return f"{first[0]} ", last[0]
    return first[0], last[0]


def _full_name(language: str, first: str, last: str) -> str:
    return f"{last}{first}" if language in ("ja", "zh") else f"{first} {last}"


def _opt_out(draw: random.Random, system: str, wish: bool) -> bool | None:
    roll = draw.random()
    if system == "gorgias":
        return None
    if system == "hubspot" and roll < 0.3:
        return None
    return not wish if roll > 0.97 else wish


def _addresses(
    draw: random.Random, seed: int, n: int, systems: tuple[str, ...], local: str
) -> tuple[dict[str, tuple[str, ...]], dict[str, tuple[str, ...]]]:
    """E-mails and phones by system; any two systems share an e-mail up to case or a phone up to spelling."""
    main = f"{local}@{draw.choice(('example.com', 'example.org', 'mail.test'))}"
    other = f"{local.split('.', maxsplit=1)[0]}_{n}@{draw.choice(('work.test', 'home.example.org'))}"
    roll = draw.random()
    shared_phone_only = roll < (0.15 if len(systems) > 1 else 0.09)
    crossed = draw.randrange(len(systems)) if 0.15 <= roll < 0.23 and len(systems) > 1 else None
    doubled = 0.23 <= roll < 0.29
    has_phone = shared_phone_only or draw.random() < 0.78
    # People who share only the phone: one system may know an e-mail, the others none. With two different e-mails nobody
    # could tell them from two people behind one phone.
    own_email = len(systems) > 1 and draw.random() < 0.6
    emails: dict[str, tuple[str, ...]] = {}
    phones: dict[str, tuple[str, ...]] = {}
    for place, system in enumerate(systems):
        if shared_phone_only:
            emails[system] = (f"{system}.{n}@inbox.test",) if own_email and place == 0 else ()
        elif crossed is not None:
            emails[system] = (_cased(draw, other), _cased(draw, main)) if place == crossed else (_cased(draw, main),)
        else:
            emails[system] = (_cased(draw, main), other) if doubled else (_cased(draw, main),)
        phones[system] = ()
        if shared_phone_only or (has_phone and draw.random() < 0.85):
            # One in thirty shows the second number instead; the e-mail still ties the person together.
            which = 1 if not shared_phone_only and draw.random() < 0.03 else 0
            phones[system] = (_spelled(draw, seed, n, which),)
            if which == 0 and draw.random() < 0.05:
                phones[system] += (_spelled(draw, seed, n, 1),)
    return emails, phones


def _cased(draw: random.Random, email: str) -> str:
    roll = draw.random()
    local, domain = email.split("@")
    if roll < 0.7:
        return email.lower()
    return f"{local}@{domain.title()}" if roll < 0.92 else email.upper()


def _spelled(draw: random.Random, seed: int, n: int, which: int) -> str:
    """Number `which` (0 or 1) of person `n` in some spelling; no two people share a number."""
    country, national = _number(seed, n, which)
    digits = national.replace(" ", "")
    if country != "1":
        shape = draw.choice(("+{c}{d}", "+{c} {n}", "00{c} {n}", "+{c} ({a}) {r}"))
        area, _, rest = national.partition(" ")
        return shape.format(c=country, d=digits, n=national, a=area, r=rest)
    a, b, c = digits[:3], digits[3:6], digits[6:]
    shapes = (
        f"+1{digits}",
        f"+1 ({a}) {b}-{c}",
        digits,
        f"({a}) {b}-{c}",
        f"{a}.{b}.{c}",
        f"1-{a}-{b}-{c}",
        f"001 {a} {b} {c}",
        f"\u202a+1 {a} {b} {c}\u202c",  # pasted from an address book with direction marks
    )
    return draw.choices(shapes, (30, 15, 15, 14, 8, 8, 6, 4))[0]


def _number(seed: int, n: int, which: int) -> tuple[str, str]:
    """(country code, national number in groups); one to one in (n, which) for one seed, up to a million people."""
    block, slot = divmod(n, 10)
    kind = (slot + seed) % 10
    k = 2 * block + which
    if kind == 0 and k < 1000 * len(words.GB_RANGES):
        return "44", f"{words.GB_RANGES[k // 1000]}{k % 1000:03d}"
    if kind == 1 and k < 10_000 * len(words.JP_AREAS):
        area_jp = words.JP_AREAS[k // 10_000]
        return "81", f"{area_jp} {'5550' if len(area_jp) == 1 else '555'} {k % 10_000:04d}"
    if kind == 2 and k < 10_000 * len(words.IL_AREAS):
        return "972", f"{words.IL_AREAS[k // 10_000]} 555 {k % 10_000:04d}"
    index = 2 * n + which
    line, area = divmod(index, len(words.US_AREAS))
    exchange, last4 = (
        ("555", 100 + line) if line < 100 else (str(555 + (line - 100) // 8000), 2000 + (line - 100) % 8000)
    )
    return "1", f"{words.US_AREAS[area]} {exchange} {last4:04d}"


def _moment(draw: random.Random, begin_at: datetime, end_at: datetime) -> datetime:
    """A time in the span; one in ten close to a clock change, one in ten on a whole second."""
    if draw.random() < 0.1:
        near_at = draw.choice(CLOCK_CHANGES) + timedelta(seconds=draw.randrange(-7200, 7200))
        if begin_at <= near_at <= end_at:
            return near_at
    at = begin_at + (end_at - begin_at) * draw.random()
    return at if draw.random() > 0.1 else max(begin_at, at.replace(microsecond=0))


def _case(seed: int, n: int, people: Sequence[Person], overlap: float) -> Case:
    draw = random.Random(f"{seed}:case:{n}")
    system, person = _owner(draw, seed, len(people), overlap)
    view = people[person - 1].views[system]
    language = view.language or "en"
    created_at = _moment(draw, view.created_at, END_AT - timedelta(days=3))
    status = draw.choices(("new", "open", "waiting", "resolved", "closed"), (12, 25, 15, 10, 38))[0]
    channels: tuple[str, ...] = words.CHANNELS if system == "gorgias" else words.PLAIN_CHANNELS
    # The first cases go through every channel in turn; later ones are mostly e-mail, as in a shop.
    usual = draw.choices(channels[:4], (60, 20, 10, 10))[0]
    channel = channels[n % len(channels)] if n <= 3 * len(channels) or draw.random() < 0.25 else usual
    messages = _messages(draw, view, created_at, status, language)
    last_at = messages[-1].at
    done = status == "closed" or (status == "resolved" and system == "gorgias")
    closed_at = last_at + timedelta(seconds=draw.randrange(60, 86_400)) if done else None
    return Case(
        n=n,
        person=person,
        system=system,
        subject=draw.choice(words.SUBJECTS[language]),
        status=status,
        priority=draw.choices(("low", "normal", "high", "critical"), (15, 65, 15, 5))[0],
        channel=channel,
        agent=None if status == "new" else draw.randrange(1, len(words.AGENT_NAMES) + 1),
        tags=tuple(draw.sample(words.TAGS, draw.choices((0, 1, 2, 3), (40, 35, 18, 7))[0])),
        messages=messages,
        created_at=created_at,
        updated_at=max(closed_at or last_at, last_at),
        closed_at=closed_at,
        score=draw.randint(1, 5) if system == "gorgias" and closed_at is not None and draw.random() < 0.4 else None,
    )


def _owner(draw: random.Random, seed: int, customers: int, overlap: float) -> tuple[str, int]:
    """(system, person): 80, 10 and 10 % of the cases, each with a person of that system where one is found."""
    wanted = draw.choices(SYSTEMS, (80, 10, 10))[0]
    person = 1
    places: tuple[str, ...] = SYSTEMS
    for _ in range(50):
        person = draw.randint(1, customers)
        places = _placement(random.Random(f"{seed}:person:{person}"), overlap)
        if wanted in places:
            return wanted, person
    return places[0], person


def _messages(
    draw: random.Random, view: View, created_at: datetime, status: str, language: str
) -> tuple[CaseMessage, ...]:
    count = 1 if status == "new" else draw.choices((1, 2, 3, 4, 6), (25, 35, 20, 15, 5))[0]
    at = created_at
    made = [_message(at, False, f"{words.QUESTIONS[language]}\n\n{view.name.strip()}", True)]
    for place in range(1, count):
        at += timedelta(seconds=draw.randrange(60, 36_000), microseconds=draw.randrange(1_000_000))
        if draw.random() < 0.12:
            made.append(_message(at, True, draw.choice(words.INTERNAL), False))
        elif place % 2:
            made.append(_message(at, True, draw.choice(words.REPLIES), True))
        else:
            made.append(_message(at, False, draw.choice(words.FOLLOW_UPS), True))
    return tuple(made)


def _message(at: datetime, from_agent: bool, text: str, public: bool) -> CaseMessage:
    body = html.escape(text, quote=False).replace("\n", "<br>")
    marked = f'<div dir="auto" style="font-family:sans-serif">{body}</div>' if not from_agent else f"<p>{body}</p>"
    return CaseMessage(at=at, from_agent=from_agent, html=marked, text=text, public=public)
