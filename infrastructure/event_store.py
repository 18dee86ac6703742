"""The tenants' logs in PostgreSQL: appends in one round trip, reads in one; personal data sealed under its keys."""

import itertools
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
import psycopg
from eventsourcing.persistence import ApplicationRecorder
from msgspec import structs

from application.ports import Append, Appended, Idempotency, IdempotencyConflict, KeyMissing, StreamChange
from application.recording import Entry, Mapper, Metadata, Recorded, personal_subject, stream_subject
from domain.kernel import Claim, Personal, Sealed
from domain.permissions import Role
from infrastructure.appending import AppendCall, conflict
from infrastructure.keys import KEYS_OF, DataKey, KeyRing, Keys
from infrastructure.postgres import Database, shared_database
from infrastructure.recorder import TenantRecorder
from infrastructure.round_trip import Connection

_COLUMNS = "stream, version, type, payload, metadata, position, occurred_at, recorded_at"
_STREAMS = (
    f"SELECT {_COLUMNS} FROM events WHERE tenant_id = %(tenant)s AND stream = ANY(%(streams)s)"  # noqa: S608
    " AND (%(until)s::bigint IS NULL OR position <= %(until)s) ORDER BY stream, version"
)
# The length of a large payload is known without reading it.
_LOG = f"""
SELECT {_COLUMNS} FROM (
    SELECT {_COLUMNS},
           sum(octet_length(payload)) OVER (ORDER BY position ROWS UNBOUNDED PRECEDING) - octet_length(payload) AS bytes
    FROM (
        SELECT {_COLUMNS} FROM events WHERE tenant_id = %(tenant)s AND position > %(after)s
        ORDER BY position LIMIT %(limit)s
    ) page
) sized WHERE bytes < %(bytes)s ORDER BY position
"""  # noqa: S608
_BYTES_AT_ONCE = 16_000_000


class PostgresEventStore:
    """application.ports.EventStore over a database of the application's role."""

    def __init__(self, database: Database, keyring: KeyRing, mapper: Mapper) -> None:
        self._database = database
        self._keyring = keyring
        self._mapper = mapper

    def append(self, tenant: UUID, append: Append) -> Appended:
        """Adds events in one round trip, more only for keys that this process hasn't seen. Raises a Conflict."""
        call, new_keys = self._call(tenant, append)
        row = self._run(tenant, call, append)
        if (outcome := row.get("replayed")) is not None:
            return Appended(position=outcome["position"], versions=dict(outcome["versions"]), replayed=True)
        for subject, key in new_keys.items():
            self._keyring.remember(tenant, subject, key)
        return Appended(position=row["last_position"], versions=_versions(append))

    def stream(self, tenant: UUID, stream: str, *, until: int | None = None, sealed: bool = False) -> list[Recorded]:
        """A stream's events in order, up to the log's position `until`."""
        return self.streams(tenant, (stream,), until=until, sealed=sealed).get(stream, [])

    def streams(
        self, tenant: UUID, streams: Collection[str], *, until: int | None = None, sealed: bool = False
    ) -> dict[str, list[Recorded]]:
        """The events of several streams, read in one round trip; a stream without events is left out."""
        if not streams:
            return {}
        rows, keys = self._database.read_all(
            tenant,
            (_STREAMS, KEYS_OF),
            {
                "streams": list(streams),
                "until": until,
                "subjects": [] if sealed else [stream_subject(stream)[1] for stream in streams],
            },
            one_plan=True,
        )
        found: dict[str, list[Recorded]] = {}
        open = None if sealed else self._keyring.keys(tenant, keys).open
        for row in rows:
            found.setdefault(row["stream"], []).append(self._mapper.recorded(_entry(tenant, row), open))
        return found

    def log(self, tenant: UUID, *, after: int, limit: int, sealed: bool = False) -> list[Recorded]:
        """The events behind position `after`, in order, at most `limit`; fewer where they are large."""
        parameters = {"after": after, "limit": limit, "bytes": _BYTES_AT_ONCE}
        rows = self._database.read(tenant, _LOG, parameters, one_plan=True)
        open = None if sealed else self._keys_for(tenant, rows).open
        return [self._mapper.recorded(_entry(tenant, row), open) for row in rows]

    def head(self, tenant: UUID) -> int:
        """The position of the tenant's last event, 0 without any."""
        rows = self._database.read(tenant, "SELECT position FROM tenant_heads WHERE tenant_id = %(tenant)s")
        return int(rows[0]["position"]) if rows else 0

    def position_at(self, tenant: UUID, instant: datetime) -> int:
        """The last position recorded at or before the instant, 0 if there was none.

        Found by halving: `recorded_at` never runs against the order of positions.
        """
        low, high = 0, self.head(tenant)
        while low < high:
            middle = (low + high + 1) // 2
            rows = self._database.read(
                tenant,
                "SELECT recorded_at FROM events WHERE tenant_id = %(tenant)s AND position = %(position)s",
                {"position": middle},
            )
            low, high = (middle, high) if rows[0]["recorded_at"] <= instant else (low, middle - 1)
        return low

    def holders(self, tenant: UUID, claims: Collection[Claim]) -> dict[Claim, str]:
        """The streams that hold the given values."""
        wanted = list(claims)
        if not wanted:
            return {}
        hashes = self._claim_hashes(tenant, wanted)
        rows = self._database.read(
            tenant,
            "SELECT purpose, value_hash, stream FROM claims WHERE tenant_id = %(tenant)s"
            " AND (purpose, value_hash) IN (SELECT * FROM unnest(%(purposes)s::text[], %(hashes)s::bytea[]))",
            {"purposes": [claim.purpose for claim in wanted], "hashes": hashes},
            one_plan=True,
        )
        held = {(row["purpose"], row["value_hash"]): row["stream"] for row in rows}
        return {
            claim: held[claim.purpose, digest]
            for claim, digest in zip(wanted, hashes, strict=True)
            if (claim.purpose, digest) in held
        }

    def active_users(self, tenant: UUID) -> dict[UUID, Role]:
        """The tenant's active users with their roles."""
        rows = self._database.read(
            tenant, "SELECT user_id, role FROM principals WHERE tenant_id = %(tenant)s AND active"
        )
        return {row["user_id"]: Role(row["role"]) for row in rows}

    def sources(self, tenant: UUID, streams: Collection[str]) -> dict[str, Mapping[str, str]]:
        """What each stream's last import row was."""
        if not streams:
            return {}
        rows = self._database.read(
            tenant,
            "SELECT stream, fields FROM import_sources WHERE tenant_id = %(tenant)s AND stream = ANY(%(streams)s)",
            {"streams": list(streams)},
        )
        return {row["stream"]: row["fields"] for row in rows}

    def replayed(self, tenant: UUID, actor: str, idempotency: Idempotency) -> Appended | None:
        """The answer that a request with this key got. Raises IdempotencyConflict."""
        rows = self._database.read(
            tenant,
            "SELECT request_hash, outcome FROM idempotency_keys"
            " WHERE tenant_id = %(tenant)s AND actor = %(actor)s AND key = %(key)s",
            {"actor": actor, "key": idempotency.key},
        )
        if not rows:
            return None
        if rows[0]["request_hash"] != self._keyring.of_tenant(tenant).digest(idempotency.request):
            raise IdempotencyConflict("this idempotency key was used for another request")
        outcome = rows[0]["outcome"]
        return Appended(position=outcome["position"], versions=dict(outcome["versions"]), replayed=True)

    def keyed_hash(self, tenant: UUID, values: Sequence[str]) -> list[str]:
        """A hash of each value under the tenant's own key, as hexadecimal digits."""
        return [digest.hex() for digest in self._keyring.digests(tenant, values)]

    def open_address(self, recorded: Recorded) -> str | None:
        """The client's address of an event, None where there is none or it was erased."""
        address = recorded.metadata.address
        if not isinstance(address, Sealed):
            return None
        actor = stream_subject(recorded.metadata.actor)[1]
        plain = self._keyring.read(recorded.tenant, (actor,)).open(actor, address)
        return None if plain is None else plain.decode()

    def erase_key(self, tenant: UUID, subject: UUID) -> None:
        """Destroys a subject's key: from now on its personal data reads `Erased`."""
        self._keyring.erase(tenant, subject)

    def opener(self, tenant: UUID, subjects: Collection[UUID]) -> Keys:
        """What opens the personal data of these subjects."""
        return self._keyring.read(tenant, subjects)

    def _keys_for(self, tenant: UUID, rows: Sequence[Mapping[str, Any]]) -> Keys:
        subjects = {personal_subject(row["stream"]) for row in rows if self._mapper.is_personal(row["type"])}
        return self._keyring.read(tenant, subjects)

    def _claim_hashes(self, tenant: UUID, claims: Sequence[Claim]) -> list[bytes]:
        return self._keyring.digests(tenant, [f"{claim.purpose}\0{claim.value}" for claim in claims])

    def _call(self, tenant: UUID, append: Append) -> tuple[AppendCall, dict[UUID, DataKey]]:
        """The call, and the new keys that it stores. What this costs counts: each append pays for it."""
        keys, new = self._sealing_keys(tenant, append)
        call = AppendCall(tenant, self._mapper.metadata(self._metadata(append, keys)))
        for subject, (_, wrapped) in new.items():
            call.key(subject, wrapped)
        for change in append.changes:
            self._add_change(call, change, keys)
        self._add_claims(call, tenant, append.changes)
        for guard in append.guards:
            call.add(guard_streams=guard.stream, guard_versions=guard.version)
        if append.principals:
            call.set(principals=_json([{"user_id": each.user, **structs.asdict(each)} for each in append.principals]))
        for each in append.principals:
            if each.ends_keys:
                call.end_api_keys(each.user)
        if append.most_users is not None:
            call.set(most_users=append.most_users)
        if append.idempotency:
            call.set(
                actor=append.metadata.actor,
                idempotency_key=append.idempotency.key,
                request_hash=self._keyring.of_tenant(tenant).digest(append.idempotency.request),
                outcome=_json({"versions": list(_versions(append).items())}),  # an object would lose its order
            )
        return call, {subject: key for subject, (key, _) in new.items()}

    def _add_change(self, call: AppendCall, change: StreamChange, keys: Mapping[str, DataKey]) -> None:
        def seal(plain: bytes) -> Sealed:
            return keys[change.stream].seal(plain)

        occurred_at = change.occurred_at or itertools.repeat(None)
        versions = itertools.count(change.expected + 1)
        for event, version, occurred in zip(change.events, versions, occurred_at, strict=False):
            call.event(change.stream, version, event.TYPE, self._mapper.payload(event, seal), occurred)
        if change.source is not None:
            call.add(source_streams=change.stream, sources=_json(change.source))

    def _add_claims(self, call: AppendCall, tenant: UUID, changes: Sequence[StreamChange]) -> None:
        acquired = [(claim, change.stream) for change in changes for claim in change.acquire]
        released = [(claim, change.stream) for change in changes for claim in change.release]
        if not acquired and not released:
            return
        hashes = self._claim_hashes(tenant, [claim for claim, _ in acquired + released])
        for (claim, stream), digest in zip(acquired, hashes, strict=False):
            call.add(claim_purposes=claim.purpose, claim_hashes=digest, claim_streams=stream)
        for (claim, stream), digest in zip(released, hashes[len(acquired) :], strict=True):
            call.add(release_purposes=claim.purpose, release_hashes=digest, release_streams=stream)

    def _metadata(self, append: Append, keys: Mapping[str, DataKey]) -> Metadata:
        actor = append.metadata.actor
        if append.address is None or actor not in keys:
            return append.metadata
        return structs.replace(append.metadata, address=keys[actor].seal(append.address.encode()))

    def _sealing_keys(
        self, tenant: UUID, append: Append
    ) -> tuple[dict[str, DataKey], dict[UUID, tuple[DataKey, bytes]]]:
        """The keys that seal this append, by stream, and those of them that are new, with their wrapped form."""
        personal = [change for change in append.changes if any(map(_is_plain, change.events))]
        born = {change.stream for change in personal if change.expected == 0}
        known = {change.stream: personal_subject(change.stream) for change in personal if change.stream not in born}
        wanted = dict(known)
        if append.address is not None and _is_user(append.metadata.actor) and append.metadata.actor not in born:
            wanted[append.metadata.actor] = personal_subject(append.metadata.actor)
        found = self._keyring.sealing(tenant, wanted.values())
        keys = {stream: found[subject] for stream, subject in wanted.items() if subject in found}
        for stream in known.keys() - keys.keys():
            raise KeyMissing(f"the key of {stream} is missing or was erased: nothing can be sealed under it")
        new = {}
        for stream in born:
            subject = personal_subject(stream)
            new[subject] = self._keyring.new(tenant, subject)
            keys[stream] = new[subject][0]
        return keys, new

    def _run(self, tenant: UUID, call: AppendCall, append: Append) -> dict[str, Any]:
        attempts = 0

        def run(connection: Connection) -> dict[str, Any]:
            nonlocal attempts
            attempts += 1
            return call.run(connection)

        try:
            return self._database.run(run)
        except psycopg.Error as error:
            if attempts > 1 and error.sqlstate in ("CF001", "CF005") and (row := self._own(tenant, call)):
                return row
            raise conflict(error, append) from error

    def _own(self, tenant: UUID, call: AppendCall) -> dict[str, Any] | None:
        """The answer of an append whose first try was stored although its answer was lost."""
        stream, version, payload = call.last
        rows = self._database.read(
            tenant,
            "SELECT payload, position FROM events"
            " WHERE tenant_id = %(tenant)s AND stream = %(stream)s AND version = %(version)s",
            {"stream": stream, "version": version},
        )
        if not rows or rows[0]["payload"] != payload:
            return None
        return {"last_position": rows[0]["position"]}


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _is_plain(event: Any) -> bool:
    return isinstance(getattr(event, "personal", None), Personal)


def _is_user(actor: str) -> bool:
    return actor.startswith("user-")


def _versions(append: Append) -> dict[str, int]:
    return {change.stream: change.expected + len(change.events) for change in append.changes}


def _entry(tenant: UUID, row: Mapping[str, Any]) -> Entry:
    return Entry(
        originator_id=row["stream"],
        originator_version=row["version"],
        topic=row["type"],
        state=row["payload"],
        id=row["position"],
        tenant=tenant,
        metadata=row["metadata"],
        occurred_at=row["occurred_at"].astimezone(UTC),
        recorded_at=row["recorded_at"].astimezone(UTC),
    )


def open_recorder(dsn: str, tenant_id: UUID) -> ApplicationRecorder:
    """One tenant's log as the library sees it, over the process's pool for this dsn (the application's role).

    Raises UnsafeRole for a role that row-level security doesn't bind.
    """
    return TenantRecorder(shared_database(dsn), tenant_id)
