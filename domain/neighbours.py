"""What a decision may know of other entities: facts of their present state, without their streams.

Features don't import one another. What an entity shows of itself to the others is defined here, and
`application.catalogue` says how each makes it from its state.
"""

from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from msgspec import Struct


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


class ProductFacts(Struct, frozen=True, kw_only=True):
    """What a line of a deal takes from its product."""

    name: str
    prices: Mapping[str, Decimal]
    archived: bool = False


class UserFacts(Struct, frozen=True, kw_only=True):
    """Whether a user may be given work; `archived` means deactivated."""

    manager: UUID | None = None
    archived: bool = False


Facts = PipelineFacts | AccountFacts | ContactFacts | ProductFacts | UserFacts
Neighbours = Mapping[UUID, Facts]
