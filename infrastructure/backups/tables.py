"""Which tables a backup holds, and which it leaves out, with the reason. A new table belongs into one of the lists."""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from projections.catalogue import RELATIONAL


class Kept(Struct, frozen=True, kw_only=True):
    """A table that is backed up. `order` is the order of a tenant's rows; `person` the column with the user whom its
    rows let in: those of a user who was erased since are not restored."""

    name: str
    order: str = "tenant_id"
    person: str | None = None


KEYS = Kept(name="keys.subject_keys")
"""Kept apart from all others: what opens personal data, and the tombstones of whom was erased."""

KEPT: tuple[Kept, ...] = (
    Kept(name="tenant_heads"),
    Kept(name="events", order="position"),
    Kept(name="claims"),
    Kept(name="idempotency_keys"),
    Kept(name="import_sources"),
    Kept(name="principals"),
    Kept(name="credentials", person="user_id"),
    Kept(name="second_factors", person="user_id"),
    Kept(name="recovery_codes", person="user_id"),
    Kept(name="api_keys", person="user_id"),
    Kept(name="storage_use"),
    Kept(name="stored_files"),
)

READ_MODELS: Mapping[str, Sequence[str]] = {each.name: tuple(each.tables) for each in RELATIONAL}
"""The tables of each relational projection."""

_FROM_THE_LOG = "made again from the log"
_IN_THE_PAST = "counts for a moment, which is over when a backup is restored"

LEFT_OUT: Mapping[str, str] = {
    **{table: _FROM_THE_LOG for tables in READ_MODELS.values() for table in tables},
    "search_documents": _FROM_THE_LOG,
    "search_generations": _FROM_THE_LOG,
    "audit_logs": _FROM_THE_LOG,
    "projection_checkpoints": "begins anew, with a generation that no store has seen",
    "projection_failures": "what can't be applied fails again, and is decided on again",
    "sessions": "would bring sessions back that have been ended since: everybody logs in anew",
    "mailed_tokens": "opens doors for a while: a link is asked for anew",
    "log_in_attempts": _IN_THE_PAST,
    "security_quotas": _IN_THE_PAST,
}
"""Tables of tenants that no backup holds, and why not."""

TABLES = [KEYS.name, *(each.name for each in KEPT), *LEFT_OUT]
"""All tables of tenants."""

OF_MIGRATIONS = frozenset({"_yoyo_log", "_yoyo_migration", "_yoyo_version", "yoyo_lock", "migration_lock"})
"""What `db migrate` keeps for itself: a restore migrates anew, to where the backup's manifest says."""
