"""Where each projection of a tenant stands: the rows of `projection_checkpoints`, and every statement on them."""

from collections.abc import Collection, Sequence
from uuid import UUID

import msgspec
from msgspec import Struct

from projections.failures import Failure
from projections.targets import Transaction, Transactions

_DUE = "parked_at IS NULL AND (retry_at IS NULL OR retry_at <= statement_timestamp())"
_THESE = "(projection, generation) IN (SELECT * FROM unnest(%(names)s::text[], %(generations)s::integer[]))"


class Checkpoint(Struct, frozen=True, kw_only=True):
    """One generation of one projection. `due`: it is neither parked nor waiting for its next try."""

    projection: str
    generation: int
    position: int
    live: bool
    published: bool = True
    attempts: int = 0
    failure: Failure | None = None
    due: bool = True
    parked: bool = False


class Standing(Struct, frozen=True, kw_only=True):
    """The log's end, and the checkpoints of some projections of one tenant."""

    head: int
    checkpoints: Sequence[Checkpoint]

    @property
    def live(self) -> list[Checkpoint]:
        """What is read and kept up to date."""
        return [each for each in self.checkpoints if each.live]

    @property
    def building(self) -> list[Checkpoint]:
        """What a rebuild fills. One that was given up stays parked, so that its number is not taken again."""
        live = {each.projection: each.generation for each in self.live}
        return [
            each
            for each in self.checkpoints
            if each.generation > live.get(each.projection, each.generation) and not each.parked
        ]

    @property
    def retired(self) -> list[Checkpoint]:
        """What a rebuild has replaced and not deleted yet, and nobody reads any more."""
        live = {each.projection: each.generation for each in self.live if each.published}
        return [each for each in self.checkpoints if each.generation < live.get(each.projection, each.generation)]


_COLUMNS = f"""projection, generation, position, live, published, attempts, failure, parked_at IS NOT NULL AS parked,
    {_DUE} AS due"""


def standing(database: Transactions, tenant: UUID, names: Collection[str]) -> Standing:
    """Where these projections and the log stand at one moment."""
    rows = database.read(
        tenant,
        f"SELECT {_COLUMNS}, NULL::bigint AS head FROM projection_checkpoints"  # noqa: S608
        " WHERE tenant_id = %(tenant)s AND projection = ANY(%(names)s)"
        " UNION ALL SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, position FROM tenant_heads"
        " WHERE tenant_id = %(tenant)s",
        {"names": list(names)},
        one_plan=True,
    )
    heads = [row["head"] for row in rows if row["head"] is not None]
    return Standing(
        head=max(heads, default=0),
        checkpoints=[msgspec.convert(row, Checkpoint) for row in rows if row["head"] is None],
    )


def add(transaction: Transaction, checkpoints: Sequence[Checkpoint]) -> None:
    """Adds checkpoints at position 0; one whose place is taken is left out."""
    transaction.execute(
        "INSERT INTO projection_checkpoints (tenant_id, projection, generation, live, published)"
        " SELECT %(tenant)s, u.* FROM unnest(%(names)s::text[], %(generations)s::integer[], %(live)s::boolean[],"
        " %(published)s::boolean[]) AS u (projection, generation, live, published) ON CONFLICT DO NOTHING",
        {
            **_keys(checkpoints),
            "live": [each.live for each in checkpoints],
            "published": [each.published for each in checkpoints],
        },
    )


def hold(transaction: Transaction, checkpoints: Sequence[Checkpoint]) -> list[Checkpoint]:
    """Locks those of the checkpoints that nobody holds, that are due and unmoved; what they are now."""
    rows = transaction.execute(
        f"SELECT {_COLUMNS} FROM projection_checkpoints WHERE tenant_id = %(tenant)s AND {_THESE}"  # noqa: S608
        f" AND position = %(position)s AND live = %(live)s AND {_DUE} ORDER BY projection FOR UPDATE SKIP LOCKED",
        {**_keys(checkpoints), "position": checkpoints[0].position, "live": checkpoints[0].live},
    )
    return [msgspec.convert(row, Checkpoint) for row in rows]


def hold_all(transaction: Transaction, projection: str) -> list[Checkpoint]:
    """Waits for and locks every generation of a projection, parked or not."""
    rows = transaction.execute(
        f"SELECT {_COLUMNS} FROM projection_checkpoints"  # noqa: S608
        " WHERE tenant_id = %(tenant)s AND projection = %(projection)s ORDER BY generation FOR UPDATE",
        {"projection": projection},
    )
    return [msgspec.convert(row, Checkpoint) for row in rows]


def advance(transaction: Transaction, checkpoints: Sequence[Checkpoint], position: int) -> None:
    """Moves held checkpoints; they are published, and have no failure behind them."""
    transaction.later(
        "UPDATE projection_checkpoints SET position = %(position)s, published = true, attempts = 0, failure = NULL,"  # noqa: S608
        f" retry_at = NULL, parked_at = NULL, updated_at = now() WHERE tenant_id = %(tenant)s AND {_THESE}",
        {**_keys(checkpoints), "position": position},
    )


def put_off(transaction: Transaction, checkpoint: Checkpoint, failure: Failure, attempts: int, seconds: float) -> None:
    """Notes a failure of a held checkpoint, and when to try again."""
    transaction.execute(
        "UPDATE projection_checkpoints SET attempts = %(attempts)s, failure = %(failure)s,"  # noqa: S608
        " updated_at = CASE WHEN attempts = 0 THEN now() ELSE updated_at END,"
        " retry_at = statement_timestamp() + make_interval(secs => %(seconds)s)"
        f" WHERE tenant_id = %(tenant)s AND {_THESE}",
        {**_keys([checkpoint]), "attempts": attempts, "failure": failure, "seconds": seconds},
    )


def park(transaction: Transaction, checkpoint: Checkpoint, position: int, error: str) -> None:
    """Parks a held checkpoint in front of the event at `position`, which it can't apply."""
    transaction.execute(
        "UPDATE projection_checkpoints SET attempts = attempts + 1, failure = 'poison', retry_at = NULL,"  # noqa: S608
        f" parked_at = now() WHERE tenant_id = %(tenant)s AND {_THESE}",
        _keys([checkpoint]),
    )
    transaction.execute(
        "INSERT INTO projection_failures (tenant_id, projection, generation, position, stream, type, error)"
        " SELECT tenant_id, %(projection)s, %(generation)s, position, stream, type, %(error)s FROM events"
        " WHERE tenant_id = %(tenant)s AND position = %(position)s ON CONFLICT DO NOTHING",
        {
            "projection": checkpoint.projection,
            "generation": checkpoint.generation,
            "position": position,
            "error": error,
        },
    )


def release(transaction: Transaction, checkpoint: Checkpoint, position: int) -> None:
    """Lets a held checkpoint go on behind `position`, with no failure behind it."""
    transaction.execute(
        "UPDATE projection_checkpoints SET position = %(position)s, attempts = 0, failure = NULL, retry_at = NULL,"  # noqa: S608
        f" parked_at = NULL, updated_at = now() WHERE tenant_id = %(tenant)s AND {_THESE}",
        {**_keys([checkpoint]), "position": position},
    )


def switch(transaction: Transaction, old: Checkpoint, new: Checkpoint, *, published: bool) -> None:
    """Makes the new generation live instead of the old one; both are held."""
    for checkpoint, live in ((old, False), (new, True)):
        transaction.execute(
            "UPDATE projection_checkpoints SET live = %(live)s, published = %(published)s, updated_at = now()"  # noqa: S608
            f" WHERE tenant_id = %(tenant)s AND {_THESE}",
            {**_keys([checkpoint]), "live": live, "published": published},
        )


def remove(transaction: Transaction, checkpoint: Checkpoint) -> None:
    """Removes a checkpoint that is not live, after what it stood for."""
    transaction.execute(
        f"DELETE FROM projection_checkpoints WHERE tenant_id = %(tenant)s AND {_THESE} AND NOT live",  # noqa: S608
        _keys([checkpoint]),
    )


def give_up(transaction: Transaction, checkpoint: Checkpoint) -> None:
    """Parks a generation that is not live for good."""
    transaction.execute(
        "UPDATE projection_checkpoints SET parked_at = now()"  # noqa: S608
        f" WHERE tenant_id = %(tenant)s AND {_THESE} AND NOT live",
        _keys([checkpoint]),
    )


def resolve(transaction: Transaction, projection: str, *, how: str, by: str, reason: str | None) -> None:
    """Notes who resolved the open failures of a projection, and how: `retry`, `skip` or `rebuild`."""
    transaction.execute(
        "UPDATE projection_failures SET resolved_at = now(), how = %(how)s, by = %(by)s, reason = %(reason)s"
        " WHERE tenant_id = %(tenant)s AND projection = %(projection)s AND resolved_at IS NULL",
        {"projection": projection, "how": how, "by": by, "reason": reason},
    )


def skipped(database: Transactions, tenant: UUID, projection: str) -> set[int]:
    """The positions of the events that somebody decided to leave out of a projection."""
    rows = database.read(
        tenant,
        "SELECT position FROM projection_failures"
        " WHERE tenant_id = %(tenant)s AND projection = %(projection)s AND how = 'skip'",
        {"projection": projection},
    )
    return {row["position"] for row in rows}


def _keys(checkpoints: Sequence[Checkpoint]) -> dict[str, list[str] | list[int]]:
    return {
        "names": [each.projection for each in checkpoints],
        "generations": [each.generation for each in checkpoints],
    }
