"""What a command takes from another record: a claim, whose holder gives way in the same transaction."""

from functools import reduce
from uuid import UUID

from application.catalogue import ENTITIES
from application.ports import EventStore, StreamChange
from application.recording import stream_subject
from domain.kernel import Claim, Command


def successions(store: EventStore, tenant: UUID, command: Command, change: StreamChange) -> tuple[StreamChange, ...]:
    """The changes of the records that hold what the command takes over.

    Each says the version that it was decided on: whoever changes such a record meanwhile, or takes its claim first,
    makes the append a conflict.
    """
    wanted = [claim for claim in change.acquire if claim.purpose in type(command).TAKES_OVER]
    holders = store.holders(tenant, wanted) if wanted else {}
    found = [_given_up(store, tenant, claim, stream) for claim, stream in holders.items()]
    return tuple(each for each in found if each.events)


def _given_up(store: EventStore, tenant: UUID, claim: Claim, stream: str) -> StreamChange:
    """What becomes of the holder; no events where it has given the claim up by now."""
    entity = ENTITIES[stream_subject(stream)[0]]
    recorded = store.stream(tenant, stream)
    state = reduce(entity.evolve, (each.event for each in recorded), None)
    events = tuple(entity.displaced(state, claim)) if entity.displaced else ()
    return StreamChange(stream=stream, expected=recorded[-1].version, events=events, release=(claim,))
