"""Security events: appended to the journal of the user whom they are about, few enough that nobody can fill the log."""

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from application.ports import Announcements, Append, EventStore, StreamChange, VersionConflict
from application.recording import Metadata, stream_name
from domain.kernel import Event
from domain.security.events import (
    AccessEvent,
    ApiKeyEdited,
    ApiKeyEnded,
    ApiKeyMade,
    ApiKeyUsed,
    LoggedIn,
    RecoveryCodeUsed,
    RefreshTokenReused,
    RequestForbidden,
    SecondFactorDisabled,
    SecondFactorEnabled,
    SessionEnded,
)
from infrastructure.postgres import Database, Transaction
from infrastructure.sessions import Client, Principal, Reused
from projections.ports import StoreAway

LimitedEvent = (
    LoggedIn
    | SessionEnded
    | RequestForbidden
    | RefreshTokenReused
    | ApiKeyMade
    | ApiKeyEdited
    | ApiKeyUsed
    | ApiKeyEnded
    | SecondFactorEnabled
    | SecondFactorDisabled
    | RecoveryCodeUsed
)

EVENTS_PER_HOUR = 60

_log = logging.getLogger("clientforge.security")
_ATTEMPTS = 30
_READER = "security"
"""Whom the read side is told as the writer: nobody's queries wait for a security event."""

_VERSION = (
    "SELECT coalesce(max(version), 0) AS version FROM events WHERE tenant_id = %(tenant)s AND stream = %(stream)s"
)
_TAKE = """
INSERT INTO security_quotas AS q (tenant_id, user_id, kind, hour, events, dropped, missed)
VALUES (%(tenant)s, %(user)s, %(kind)s, date_trunc('hour', clock_timestamp(), 'UTC'), 1, 0, 0)
ON CONFLICT (tenant_id, user_id, kind) DO UPDATE SET
    hour = excluded.hour,
    events = CASE WHEN q.hour = excluded.hour THEN least(q.events, %(limit)s) + 1 ELSE 1 END,
    dropped = CASE WHEN q.hour = excluded.hour THEN q.dropped + (q.events >= %(limit)s)::integer ELSE 0 END,
    missed = CASE WHEN q.hour = excluded.hour THEN q.missed ELSE q.dropped END
RETURNING events <= %(limit)s AS allowed, CASE WHEN events = 1 THEN missed ELSE 0 END AS missed
"""


class SecurityLog:
    """Notes what happens to users' access. What users cause by themselves is limited per user, kind and hour.

    `on_noted` is told the type of each event.
    """

    def __init__(
        self,
        database: Database,
        store: EventStore,
        announcements: Announcements,
        *,
        per_hour: int = EVENTS_PER_HOUR,
        on_noted: Callable[[str], object] = bool,
    ) -> None:
        self._database = database
        self._store = store
        self._announcements = announcements
        self._per_hour = per_hour
        self._on_noted = on_noted
        self._thread = ThreadPoolExecutor(1, "security")

    def note(self, tenant: UUID, user: UUID, events: Sequence[AccessEvent], actor: str, client: Client) -> None:
        """Appends events about a user, with the client's address sealed. Raises StoreAway when too many do."""
        if not events:
            return
        stream = stream_name("access", user)
        metadata = Metadata(actor=actor, correlation=uuid7(), request=client.request)
        for _ in range(_ATTEMPTS):
            version = self._database.read(tenant, _VERSION, {"stream": stream})[0]["version"]
            change = StreamChange(stream=stream, expected=version, events=tuple(events))
            try:
                appended = self._store.append(
                    tenant, Append(metadata=metadata, changes=(change,), address=client.address)
                )
            except VersionConflict:
                continue
            self._announcements.appended(tenant, _READER, appended.position, ["access"])
            for event in events:
                self._on_noted(type(event).TYPE)
            return
        raise StoreAway(f"{stream} is written by too many at once")

    def note_later(self, tenant: UUID, user: UUID, events: Sequence[AccessEvent], client: Client) -> None:
        """Appends events about a user without letting the caller wait: how long an answer takes tells nothing then.

        They are lost, and the log file says so, when the process dies or the database is away at that moment.
        """
        if events:
            self._thread.submit(self._note_alone, tenant, user, events, client)

    def within_limit(
        self, transaction: Transaction, user: UUID, kind: type[LimitedEvent], **told: Any
    ) -> list[AccessEvent]:
        """An event of this kind to be noted behind the transaction; none where the user's hour has had its number."""
        missed = self._take(transaction, user, kind)
        return [] if missed is None else [kind(missed=missed, **told)]

    def session_ended(self, principal: Principal, session: UUID, client: Client) -> None:
        """Notes that a user ended a session of theirs."""
        self.limited(principal, SessionEnded, client, session=session)

    def forbidden(self, principal: Principal, operation: str, client: Client) -> None:
        """Notes that a user asked for what they may not do."""
        self.limited(principal, RequestForbidden, client, operation=operation)

    def key_used(self, principal: Principal, client: Client) -> None:
        """Notes that an API key was used."""
        self.limited(principal, ApiKeyUsed, client, key=principal.session)

    def reused(self, reused: Reused, client: Client) -> None:
        """Notes that a used refresh token came back. Its session is gone, so this happens to it once."""
        self.limited(reused, RefreshTokenReused, client, session=reused.session)

    def limited(self, who: Principal | Reused, kind: type[LimitedEvent], client: Client, **told: Any) -> None:
        """Notes that a user did something to their own access, unless their hour has had its number of this kind."""
        with self._database.transaction(who.tenant) as transaction:
            events = self.within_limit(transaction, who.user, kind, **told)
        self.told_by(who, events, client)

    def told_by(self, who: Principal | Reused, events: Sequence[AccessEvent], client: Client) -> None:
        """Notes what a user did to their own access."""
        self.note(who.tenant, who.user, events, stream_name("user", who.user), client)

    def close(self) -> None:
        """Waits until everything is noted."""
        self._thread.shutdown()

    def _note_alone(self, tenant: UUID, user: UUID, events: Sequence[AccessEvent], client: Client) -> None:
        try:
            self.note(tenant, user, events, stream_name("user", user), client)
        except Exception as error:
            _log.exception("%d security events of a user are lost: %s", len(events), type(error).__name__)

    def _take(self, transaction: Transaction, user: UUID, kind: type[Event]) -> int | None:
        """How many events of the kind were left out before, for the next one to say; None: this one is left out."""
        row = transaction.execute(_TAKE, {"user": user, "kind": kind.TYPE, "limit": self._per_hour})[0]
        return row["missed"] if row["allowed"] else None
