"""What a batch knows: what was read from the log for it, and what its rows have decided since."""

from collections.abc import Collection, Iterable
from datetime import datetime
from functools import cached_property
from typing import Any
from uuid import UUID

from application.catalogue import ENTITIES
from application.neighbourhood import Present, present
from application.platform import user_limit
from application.ports import EventStore, PrincipalChange, StreamChange
from application.recording import Metadata, Recorded, stream_subject
from domain.identity.staff import check_staff
from domain.kernel import Claim
from domain.permissions import Role

_NOBODY = Metadata(actor="import", correlation=UUID(int=0))


class Known:
    """The streams and claims of a batch, read at once. It can be asked for streams like the store itself."""

    def __init__(self, store: EventStore, tenant: UUID) -> None:
        self._store = store
        self._tenant = tenant
        self._streams: dict[str, list[Recorded]] = {}
        self._holders: dict[Claim, str | None] = {}
        self._undo: list[tuple[dict[Any, Any], Any, Any]] = []

    def read_holders(self, claims: Collection[Claim]) -> None:
        """Reads who holds these values."""
        held = self._store.holders(self._tenant, claims)
        self._holders.update({claim: held.get(claim) for claim in claims})

    def holder(self, claims: Iterable[Claim]) -> str | None:
        """The stream that holds the first of these values that is held at all, as far as it was read."""
        return next(filter(None, map(self._holders.get, claims)), None)

    def read_streams(self, streams: Iterable[str]) -> None:
        """Reads those streams that weren't read yet."""
        wanted = {stream for stream in streams if stream not in self._streams}
        found = self._store.streams(self._tenant, wanted) if wanted else {}
        self._streams.update({stream: found.get(stream, []) for stream in wanted})

    def streams(
        self, tenant: UUID, streams: Collection[str], *, until: int | None = None, sealed: bool = False
    ) -> dict[str, list[Recorded]]:
        """The events of several streams, with those that this batch has decided."""
        self.read_streams(streams)
        return {stream: self._streams[stream] for stream in streams}

    def present(self, stream: str) -> Present:
        """A record with what this batch has decided."""
        self.read_streams((stream,))
        return present(ENTITIES[stream_subject(stream)[0]], self._streams[stream])

    def begin(self, stream: str) -> None:
        """A stream that isn't in the log yet."""
        self._set(self._streams, stream, [])

    def add(self, change: StreamChange, now: datetime) -> None:
        """Takes in what a row has decided, until it is kept or undone."""
        events = list(self._streams.get(change.stream, ()))
        for number, event in enumerate(change.events):
            occurred = change.occurred_at[number] if change.occurred_at else None
            events.append(self._recorded(change, number, event, occurred or now))
        self._set(self._streams, change.stream, events)
        for claim in change.release:
            self._set(self._holders, claim, None)
        for claim in change.acquire:
            self._set(self._holders, claim, change.stream)

    def add_user(self, principal: PrincipalChange) -> None:
        """Takes in a user's new role alike. Raises LastAdmin or TooManyUsers."""
        role = Role(principal.role) if principal.active else None
        check_staff(self._staff, principal.user, role, self._user_limit)
        self._set(self._staff, principal.user, role)

    @cached_property
    def _staff(self) -> dict[UUID, Role]:
        return self._store.active_users(self._tenant)

    @cached_property
    def _user_limit(self) -> int | None:
        return user_limit(self._store, self._tenant)

    def keep(self) -> None:
        """What was added stays."""
        self._undo.clear()

    def undo(self) -> None:
        """What was added since the last `keep` is gone."""
        while self._undo:
            self._put(*self._undo.pop())

    def _set(self, into: dict[Any, Any], key: Any, value: Any) -> None:
        self._undo.append((into, key, into.get(key)))
        self._put(into, key, value)

    def _put(self, into: dict[Any, Any], key: Any, value: Any) -> None:
        if value is None:
            into.pop(key, None)
        else:
            into[key] = value

    def _recorded(self, change: StreamChange, number: int, event: Any, occurred: datetime) -> Recorded:
        return Recorded(
            tenant=self._tenant,
            position=0,
            stream=change.stream,
            version=change.expected + number + 1,
            event=event,
            metadata=_NOBODY,
            occurred_at=occurred,
            recorded_at=occurred,
        )
