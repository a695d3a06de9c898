"""The error family, ordered by what to do next.

    SyncError
    ├── Retryable              worth another try; `wait_s` says when
    │   ├── RateLimited        the account's limit, said by the system itself
    │   ├── Unavailable        5xx, locks, refused connections: nothing was done
    │   └── OutcomeUnknown     the call may have landed: settle before anything else
    ├── Rejected               this record or field only; parked with the system's words
    │   ├── NotFound           the id is not there (not yet evidence of a delete)
    │   ├── Moved              the id was merged into another one
    │   ├── Conflict           somebody else holds the unique value or row version
    │   ├── BadInput           a row or a value that nobody can read
    │   ├── WrittenInVain      the same value was written again and again, and is still owed
    │   └── NeverSent          a write was taken up again and again, and could not be sent
    └── Halt                   the run cannot go on
        ├── WrongAccount       the ledger belongs to other accounts
        ├── NotSetUp           `sync-platform setup` has not run
        ├── LedgerTooNew       a newer version of the platform wrote this ledger
        ├── LedgerUnreachable  no connection to the ledger's database
        ├── Misconfigured      settings or policy are wrong; names file, key and remedy
        ├── NotAllowed         credentials are refused or lack a right
        └── AnotherCycleRuns   the lease is held by somebody alive

No class here ever holds a value of a person: only status, category, correlation id, names of fields and systems.
"""

from __future__ import annotations


class SyncError(Exception):
    """Base of all errors of the platform; `remedy` says what a person can do about it."""

    remedy: str = ""

    def __init__(
        self,
        message: str = "",
        *,
        system: str | None = None,
        code: str | None = None,
        status: int | None = None,
        correlation: str | None = None,
        remedy: str | None = None,
    ) -> None:
        self.system = system
        self.code = code or type(self).__name__
        self.status = status
        self.correlation = correlation
        if remedy is not None:
            self.remedy = remedy
        self.message = message or (type(self).__doc__ or "").strip().splitlines()[0]
        super().__init__(self.message)

    def __str__(self) -> str:
        facts = [f"{name} {value}" for name, value in (("status", self.status), ("id", self.correlation)) if value]
        head = f"{self.system}: {self.message}" if self.system else self.message
        return f"{head} ({', '.join(facts)})" if facts else head


class Retryable(SyncError):
    """The same call is worth another try after `wait_s` seconds."""

    def __init__(self, message: str = "", *, wait_s: float | None = None, **facts: object) -> None:
        self.wait_s = wait_s
        super().__init__(message, **facts)  # type: ignore[arg-type]


class RateLimited(Retryable):
    """The system said that its limit is reached."""

    remedy = "Nothing to do: the budget waits. If it persists, another integration uses the same limit."


class Unavailable(Retryable):
    """The system did not take the call."""

    remedy = "Nothing to do: the next cycle tries again. If it persists, look at the system's status page."


class OutcomeUnknown(Retryable):
    """The call was sent and no answer came: it may have landed."""

    remedy = "Nothing to do: the write is looked up before anything else is done for that record."


class Rejected(SyncError):
    """The system refused this record or field."""

    remedy = "See `sync-platform parked`: correct the value in the system that it comes from, or retry."


class NotFound(Rejected):
    """The system does not know this id."""


class Moved(Rejected):
    """The id was merged into another one."""

    def __init__(self, message: str = "", *, into: str | None = None, **facts: object) -> None:
        self.into = into
        super().__init__(message, **facts)  # type: ignore[arg-type]


class Conflict(Rejected):
    """A unique value or a row version belongs to somebody else."""

    def __init__(self, message: str = "", *, existing: str | None = None, **facts: object) -> None:
        self.existing = existing
        super().__init__(message, **facts)  # type: ignore[arg-type]


class BadInput(Rejected):
    """A row or a value that cannot be read."""

    def __init__(self, message: str = "", *, field: str | None = None, **facts: object) -> None:
        self.field = field
        super().__init__(message, **facts)  # type: ignore[arg-type]


class WrittenInVain(Rejected):
    """The same value was written several times in one run, each time with success, and is still owed."""

    remedy = "See `sync-platform parked`: look for what keeps changing the value back there, then retry."


class NeverSent(Rejected):
    """A write was taken up several times in one run and never went through: what comes before it stays open."""

    remedy = "Run `sync-platform why` on the records named by `sync-platform status`; if it persists, report it."


class Halt(SyncError):
    """The run cannot go on until a person acts."""


class WrongAccount(Halt):
    """This ledger belongs to other accounts than the ones configured now."""

    remedy = "Use the ledger of this account, or a new LEDGER_DATABASE_URL, and run `sync-platform setup`."


class NotSetUp(Halt):
    """The ledger has not been set up for these accounts."""

    remedy = "Run `sync-platform setup` once; it is safe to repeat."


class LedgerTooNew(Halt):
    """The ledger was written by a newer version of the platform."""

    remedy = "Install that version or a later one; a ledger is never migrated backwards."


class LedgerUnreachable(Halt):
    """The ledger's database does not answer."""

    remedy = "Check LEDGER_DATABASE_URL and that the database runs."


class Misconfigured(Halt):
    """A setting or the policy is wrong."""


class NotAllowed(Halt):
    """The credentials are refused or lack a right."""

    remedy = "Run `sync-platform doctor`: it names the missing right."


class AnotherCycleRuns(Halt):
    """Another cycle holds the lease."""

    remedy = "Wait for it, or look at `sync-platform status`; a dead owner's lease is taken over by itself."
