"""Failed log-ins, counted per user in PostgreSQL: so many in a row, and no password counts for a while.

Passwords are compared before the count is asked, and many at once; but each verdict is given under the lock of the
user's row, so that no more wrong ones are ever told apart from right ones than the limit says.
"""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from msgspec import Struct

from domain.security.events import AccessEvent, Locked, LogInsFailed
from infrastructure.postgres import Transaction

NOBODY = UUID(int=0)
"""Stands for all users whom nobody knows."""


class Verdict(Struct, frozen=True, kw_only=True):
    """Whether a password counts, and what of the failures before is now to be told."""

    allowed: bool
    told: tuple[AccessEvent, ...] = ()


class Held(Struct, frozen=True, kw_only=True):
    """A user's failures, whose row is locked until the transaction ends: `failures` of them since `since`."""

    failures: int
    untold: int
    since: datetime
    locked_until: datetime | None
    now: datetime

    @property
    def locked(self) -> bool:
        """Whether no password and no code counts now."""
        return self.locked_until is not None and self.now < self.locked_until


class Lockouts:
    """Counts failures: `failures` of them within `window` lock the account for as long again."""

    def __init__(self, *, failures: int = 5, window: timedelta = timedelta(minutes=15)) -> None:
        self._failures = failures
        self._window = window

    def judge(self, transaction: Transaction, user: UUID, *, right: bool) -> Verdict:
        """Whether an attempt with a right or wrong password gets in. Costs the same in any case."""
        return self.verdict(transaction, user, self.hold(transaction, user), right=right)

    def hold(self, transaction: Transaction, user: UUID) -> Held:
        """Locks a user's failures, for an attempt that takes more than a password to be judged."""
        transaction.execute(_ENSURE, {"user": user})
        return Held(**transaction.execute(_LOCK, {"user": user})[0])

    def verdict(
        self, transaction: Transaction, user: UUID, held: Held, *, right: bool, forgives: bool = True
    ) -> Verdict:
        """Whether an attempt of a user whose failures are held gets in. One that is right forgets the failures before
        it, unless it doesn't forgive: it proves less than a log-in asks for."""
        if right and not forgives and not held.locked:
            return Verdict(allowed=True)
        verdict, counted = self._judged(held, right)
        transaction.execute(_COUNT, {"user": user, **counted})
        return verdict

    def keep(self, transaction: Transaction, user: UUID, verdict: Verdict) -> None:
        """Leaves to the next verdict what this one would have told."""
        failed = sum(each.count for each in verdict.told if isinstance(each, LogInsFailed))
        transaction.execute(_KEEP, {"user": user, "untold": failed})

    def forgive(self, transaction: Transaction, user: UUID) -> Verdict:
        """Forgets a user's failures; whether they were locked out, and the failures that are now to be told."""
        rows = transaction.execute(_FORGIVE, {"user": user})
        if not rows:
            return Verdict(allowed=True)
        return Verdict(allowed=not rows[0]["locked"], told=_failed(rows[0]["untold"]))

    def _judged(self, held: Held, right: bool) -> tuple[Verdict, dict[str, Any]]:
        now, failures, untold, since, until = held.now, held.failures, held.untold, held.since, held.locked_until
        if held.locked:
            return Verdict(allowed=False), _counted(failures, untold + 1, since, until)
        told: tuple[AccessEvent, ...] = ()
        if right or until is not None or now - since >= self._window:
            told, failures, untold = _failed(untold), 0, 0
        if right:
            return Verdict(allowed=True, told=told), _counted(0, 0, now, None)
        failures, untold, since = failures + 1, untold + 1, since if failures else now
        if failures < self._failures:
            return Verdict(allowed=False, told=told), _counted(failures, untold, since, None)
        locked = Locked(failures=failures, seconds=int(self._window.total_seconds()))
        return Verdict(allowed=False, told=(*told, locked)), _counted(failures, 0, since, now + self._window)


def _failed(untold: int) -> tuple[AccessEvent, ...]:
    return (LogInsFailed(count=untold),) if untold else ()


def _counted(failures: int, untold: int, since: datetime, until: datetime | None) -> dict[str, Any]:
    return {"failures": failures, "untold": untold, "since": since, "until": until}


_ENSURE = """
INSERT INTO log_in_attempts (tenant_id, user_id, failures, untold, since)
VALUES (%(tenant)s, %(user)s, 0, 0, clock_timestamp()) ON CONFLICT DO NOTHING
"""

# The clock is asked behind the lock: whoever waited for it is later.
_LOCK = """
WITH locked AS MATERIALIZED (
    SELECT failures, untold, since, locked_until FROM log_in_attempts
    WHERE tenant_id = %(tenant)s AND user_id = %(user)s FOR UPDATE
)
SELECT locked.*, clock_timestamp() AS now FROM locked
"""

_COUNT = """
UPDATE log_in_attempts
SET failures = %(failures)s, untold = %(untold)s, since = %(since)s, locked_until = %(until)s
WHERE tenant_id = %(tenant)s AND user_id = %(user)s
"""

_KEEP = """
UPDATE log_in_attempts SET untold = untold + %(untold)s WHERE tenant_id = %(tenant)s AND user_id = %(user)s
"""

_FORGIVE = """
DELETE FROM log_in_attempts WHERE tenant_id = %(tenant)s AND user_id = %(user)s
RETURNING untold, locked_until IS NOT NULL AND locked_until > clock_timestamp() AS locked
"""
