"""What a decision may know of other entities: facts of their present state, without their streams.

Every record that a command refers to is there under its id, with its parents up to the root where the reference
asks for the lineage; and the record that the decision is about is there as `Itself`, whatever its state is, which
is how a rule against cycles knows it.

Features don't import one another. What an entity shows of itself to the others is defined here, and
`application.catalogue` says how each makes it from its state.
"""

from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from msgspec import Struct, UnsetType

from domain.kernel import HierarchyCycle


class StageKind(StrEnum):
    """What a deal in a stage is."""

    OPEN = "open"
    WON = "won"
    LOST = "lost"


class StageFacts(Struct, frozen=True, kw_only=True):
    """A stage of a pipeline; `probability` is a percentage from 0 to 100."""

    id: UUID
    name: str
    kind: StageKind
    probability: int


class PipelineFacts(Struct, frozen=True, kw_only=True):
    """A pipeline and its stages in their order."""

    stages: tuple[StageFacts, ...]
    archived: bool = False

    def stage(self, stage: UUID) -> StageFacts | None:
        """The stage of that id, or None where this pipeline has none such."""
        return next((each for each in self.stages if each.id == stage), None)

    def first(self, kind: StageKind) -> StageFacts | None:
        """The first stage of that kind, or None."""
        return next((each for each in self.stages if each.kind == kind), None)


class AccountFacts(Struct, frozen=True, kw_only=True):
    """An account's place in the hierarchy."""

    parent: UUID | None = None
    archived: bool = False


class ContactFacts(Struct, frozen=True, kw_only=True):
    """That a contact is there."""

    archived: bool = False


class DealFacts(Struct, frozen=True, kw_only=True):
    """That a deal is there."""

    archived: bool = False


class ProductFacts(Struct, frozen=True, kw_only=True):
    """What a line of a deal takes from its product."""

    name: str
    prices: Mapping[str, Decimal]
    archived: bool = False


class UserFacts(Struct, frozen=True, kw_only=True):
    """Whether a user may be given work; `parent` is their manager, `archived` means deactivated."""

    parent: UUID | None = None
    archived: bool = False


class Itself(Struct, frozen=True):
    """The record that the decision is about: a lineage ends where it comes back to it."""

    archived: bool = False


Facts = PipelineFacts | AccountFacts | ContactFacts | DealFacts | ProductFacts | UserFacts | Itself
Neighbours = Mapping[UUID, Facts]


def check_no_cycle(parent: UUID | UnsetType | None, neighbours: Neighbours, field: str) -> None:
    """Refuses a parent whose line of parents leads back to the record that the decision is about."""
    passed: set[UUID] = set()
    while parent and parent not in passed:
        facts = neighbours.get(parent)
        if isinstance(facts, Itself):
            raise HierarchyCycle("A record can't stand above itself.", field=field)
        passed.add(parent)
        parent = facts.parent if isinstance(facts, AccountFacts | UserFacts) else None
