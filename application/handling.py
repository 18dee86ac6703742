"""load → decide → append, for every command of every entity."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec import Struct
from uuid_utils.compat import uuid7

from application.catalogue import ENTITIES, Entity
from application.completing import complete
from application.hosts import rooted
from application.neighbourhood import Present, neighbourhood, present
from application.platform import user_limit
from application.ports import (
    Announcements,
    Append,
    ClaimConflict,
    EventStore,
    Guard,
    GuardConflict,
    Idempotency,
    IdempotencyConflict,
    LastAdminConflict,
    PrincipalChange,
    StreamChange,
    UserLimitConflict,
    VersionConflict,
)
from application.recording import Metadata, stream_name, stream_subject
from application.sights import Sights
from application.succession import successions
from domain.identity.staff import LastAdmin, TooManyUsers
from domain.kernel import (
    Claim,
    Command,
    Event,
    NotFound,
    Refused,
)
from domain.permissions import EVERYTHING, NOTHING, Sight

_ATTEMPTS = 5


class Forbidden(Refused):
    """The sender's role doesn't hold the permission that the command needs, or not for this record."""

    code = "forbidden"


class VersionMismatch(Refused):
    """The record has moved on since the version that the sender demanded (If-Match)."""

    code = "version_mismatch"


class TooManyConflicts(Refused):
    """Others changed the same records again and again meanwhile: nothing was stored, try again."""

    code = "too_many_conflicts"


class AlreadyTaken(Refused):
    """Another record of the tenant holds a value that must be unique."""

    code = "already_taken"


class IdempotencyKeyReused(Refused):
    """The idempotency key belongs to another request."""

    code = "idempotency_key_reused"


class Sender(Struct, frozen=True, kw_only=True):
    """Who sends a command to which tenant, and with what right. `actor` is `user-<id>`, or names what acts.

    `sights` say whose records a user's permissions go with; whatever acts for no user reaches all.
    """

    tenant: UUID
    actor: str
    permissions: frozenset[str]
    correlation: UUID
    request: str | None = None
    address: str | None = None
    sights: Sights | None = None

    def sight(self, permission: str) -> Sight:
        """Whose records the permission goes with; nobody's, for a user of whom that isn't said."""
        if self.sights is not None:
            return self.sights.of(permission)
        return EVERYTHING if self.user is None else NOTHING

    def sees(self, entity: Entity, state: Any) -> bool:
        """Whether a record is one that the sender may know of."""
        return entity.owner is None or entity.is_in(self.sight(f"{entity.name}:read"), state)

    def follows(self, kind: str) -> bool:
        """Whether the sender sees what happens to records of a kind, and what hangs on them."""
        kinds = None if self.sights is None else self.sights.kinds
        return kinds is None or kind in kinds

    @property
    def user(self) -> UUID | None:
        """The acting user, None where it is none."""
        return stream_subject(self.actor)[1] if self.actor.startswith("user-") else None


class Outcome(Struct, frozen=True, kw_only=True):
    """What a command came to: the record, its version, and the position of its last event in the tenant's log."""

    id: UUID
    version: int
    position: int


class Decision(Struct, frozen=True, kw_only=True):
    """What a command decided, ready to be appended; no events where nothing changes.

    `joins` says that it makes somebody an active user who wasn't.
    """

    change: StreamChange
    guards: tuple[Guard, ...]
    principal: PrincipalChange | None
    joins: bool
    state: Any


class Handler:
    """Handles every command: who may, what is needed, what is decided, what is stored."""

    def __init__(self, store: EventStore, announcements: Announcements) -> None:
        self._store = store
        self._announcements = announcements

    def handle(
        self,
        sender: Sender,
        entity: str,
        id: UUID,
        command: Command,
        *,
        if_match: int | None = None,
        idempotency: Idempotency | None = None,
    ) -> Outcome:
        """Carries a command out on one record. Raises a Refused; nothing is stored then.

        A conflict with another writer is decided again, a few times, unless the sender demanded a version.
        """
        if type(command).PERMISSION not in sender.permissions:
            raise Forbidden(f"This needs the permission {type(command).PERMISSION}.")
        if idempotency and (outcome := self._answered(sender, idempotency)):
            return outcome
        command = self._completed(sender, command)
        for _ in range(_ATTEMPTS):
            try:
                return self._attempt(sender, ENTITIES[entity], id, command, if_match, idempotency)
            except (VersionConflict, GuardConflict, ClaimConflict):
                continue
            except Refused:
                # The same request may have been answered meanwhile: then its answer holds.
                if idempotency and (outcome := self._answered(sender, idempotency)):
                    return outcome
                raise
        raise TooManyConflicts("Others changed these records at the same time. Nothing was stored: try again.")

    def check(self, sender: Sender, entity: str, command: Command) -> None:
        """Refuses to create a record as handling it now would, and stores nothing. Raises a Refused."""
        kind = ENTITIES[entity]
        decision = self.decide(sender, kind, uuid7(), command, Present(state=None, version=0, last=None))
        self._check_reach(sender, kind, command, decision.state)

    def present(self, tenant: UUID, entity: str, id: UUID, *, sealed: bool = False) -> Present:
        """A record as the log has it now; with its personal data sealed, if nobody needs that."""
        events = self._store.stream(tenant, stream_name(entity, id), sealed=sealed)
        return present(ENTITIES[entity], events)

    def _attempt(
        self,
        sender: Sender,
        entity: Entity,
        id: UUID,
        command: Command,
        if_match: int | None,
        idempotency: Idempotency | None,
    ) -> Outcome:
        now = Present(state=None, version=0, last=None)
        if not type(command).CREATES:
            now = self.present(sender.tenant, entity.name, id)
            if now.state is None:
                raise NotFound(f"There is no such {entity.name}.")
            self._check_reach(sender, entity, command, now.state)
        if if_match is not None and if_match != now.version:
            raise VersionMismatch(
                f"The {entity.name} is at version {now.version}, not {if_match}.", version=now.version
            )
        decision = self.decide(sender, entity, id, command, now)
        if type(command).CREATES and entity.host is not None:
            self._check_reach(sender, entity, command, decision.state)
        if not decision.change.events and idempotency is None:
            position = now.last.position if now.last else 0
            return Outcome(id=id, version=now.version, position=position)
        return self._append(sender, command, decision, idempotency)

    def _check_reach(self, sender: Sender, entity: Entity, command: Command, state: Any) -> None:
        """Refuses a record that isn't the sender's to know of, or not to change; what hangs on another one, as that.

        Raises NotFound or Forbidden.
        """
        root, its_state = rooted(self._store, sender.tenant, entity, state)
        hangs = root is not entity
        hidden = hangs and not type(command).CREATES and not sender.follows(root.name)
        if its_state is None or hidden or not sender.sees(root, its_state):
            raise NotFound(f"There is no such {entity.name}.")
        for permission in (type(command).PERMISSION, *((f"{root.name}:update",) if hangs else ())):
            reached = root.owner is None or root.is_in(sender.sight(permission), its_state)
            if permission not in sender.permissions or not reached:
                raise Forbidden(f"This {entity.name} is not among those that your permission {permission} is for.")

    def decide(self, sender: Sender, entity: Entity, id: UUID, command: Command, now: Present) -> Decision:
        """What the command comes to on that state, with all that must still hold when it is stored."""
        references = tuple(entity.references(command, now.state))
        neighbours, guards = neighbourhood(self._store, sender.tenant, id, references, sees=sender.sees)
        events = tuple(entity.decide(command, now.state, neighbours))
        return decided(entity, id, now, events, guards)

    def _append(self, sender: Sender, command: Command, decision: Decision, idempotency: Idempotency | None) -> Outcome:
        append = Append(
            metadata=Metadata(actor=sender.actor, correlation=sender.correlation, request=sender.request),
            changes=(decision.change, *successions(self._store, sender.tenant, command, decision.change)),
            guards=decision.guards,
            principals=(decision.principal,) if decision.principal else (),
            most_users=user_limit(self._store, sender.tenant) if decision.joins else None,
            idempotency=idempotency,
            address=sender.address,
        )
        try:
            with _one_request_per_key():
                appended = self._store.append(sender.tenant, append)
        except ClaimConflict as conflict:
            if conflict.claim.purpose in type(command).TAKES_OVER:
                raise  # another record took it first: that one has to give it up now
            raise taken(conflict, command, told=self._sees(sender, conflict.holder)) from conflict
        except LastAdminConflict as conflict:
            raise LastAdmin from conflict
        except UserLimitConflict as conflict:
            raise TooManyUsers(conflict.limit) from conflict
        entities = {stream_subject(change.stream)[0] for change in append.changes}
        self._announcements.appended(sender.tenant, sender.actor, appended.position, entities)
        return _outcome(appended.versions, appended.position)

    def _sees(self, sender: Sender, stream: str) -> bool:
        entity, id = stream_subject(stream)
        return sender.sees(ENTITIES[entity], self.present(sender.tenant, entity, id).state)

    def _answered(self, sender: Sender, idempotency: Idempotency) -> Outcome | None:
        with _one_request_per_key():
            appended = self._store.replayed(sender.tenant, sender.actor, idempotency)
        return _outcome(appended.versions, appended.position) if appended else None

    def _completed(self, sender: Sender, command: Command) -> Command:
        return complete(
            command,
            actor_user=sender.user,
            default_pipeline=lambda: default_pipeline(self._store, sender.tenant),
            new_id=uuid7,
        )


def decided(
    entity: Entity,
    id: UUID,
    now: Present,
    events: tuple[Event, ...],
    guards: tuple[Guard, ...],
    *,
    occurred_at: tuple[datetime | None, ...] | None = None,
) -> Decision:
    """The stream change that these events are, with the claims that they take and give back."""
    after = now.state
    for event in events:
        after = entity.evolve(after, event)
    held = entity.claims(now.state) if now.state is not None else frozenset()
    wanted = entity.claims(after) if after is not None else frozenset()
    was = entity.principal(id, now.state) if entity.principal and now.state is not None else None
    principal = entity.principal(id, after) if entity.principal and after is not None else None
    if principal == was:
        principal = None
    return Decision(
        change=StreamChange(
            stream=stream_name(entity.name, id),
            expected=now.version,
            events=events,
            occurred_at=occurred_at,
            acquire=tuple(sorted(wanted - held)),
            release=tuple(sorted(held - wanted)),
        ),
        guards=guards,
        principal=principal,
        joins=bool(principal and principal.active and not (was and was.active)),
        state=after,
    )


def default_pipeline(store: EventStore, tenant: UUID) -> UUID | None:
    """The tenant's default pipeline."""
    claim = Claim("pipeline.default", "")
    holder = store.holders(tenant, (claim,)).get(claim)
    return stream_subject(holder)[1] if holder else None


def taken(conflict: ClaimConflict, command: Command, *, told: bool = True) -> AlreadyTaken:
    """The refusal of a value that another record holds; a list of such values is a field in the plural.

    Which record that is, is `told` to whoever may know of it.
    """
    entity, name = conflict.claim.purpose.split(".", 1)
    field = name if name in command.__struct_fields__ else f"{name}s"
    return AlreadyTaken(
        f"Another {entity} has this {name.replace('_', ' ')}.",
        field=f"/{field}",
        **({"holder": str(stream_subject(conflict.holder)[1])} if told else {}),
    )


@contextmanager
def _one_request_per_key() -> Iterator[None]:
    try:
        yield
    except IdempotencyConflict as conflict:
        raise IdempotencyKeyReused("This Idempotency-Key was used for another request.") from conflict


def _outcome(versions: Any, position: int) -> Outcome:
    stream, version = next(iter(versions.items()))
    return Outcome(id=stream_subject(stream)[1], version=version, position=position)
