"""Deals that move through a pipeline at given instants, and what the figures say of them."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from msgspec import structs
from uuid_utils.compat import uuid7

from domain.deals.events import (
    DealEvent,
    DealLost,
    DealOpened,
    DealReopened,
    DealStageChanged,
    DealWon,
)
from domain.identity.events import UserCreated, UserPersonal
from domain.permissions import Role
from projections.deals.leaderboard import By, Leaderboard, leaderboard
from projections.deals.pipeline import StageTotals, pipeline
from tests.projections.relational import Stages, Tenancy

NOW = datetime.now(UTC)


class Sales:
    """A tenancy with a pipeline, and the deals that move in it."""

    def __init__(self, tenancy: Tenancy) -> None:
        self.tenancy = tenancy
        self.stages = Stages()
        tenancy.happens("pipeline", self.stages.pipeline, self.stages.created(default=True))

    def opened(self, amount: str | None = None, currency: str | None = "USD", **fields: Any) -> DealOpened:
        """A deal begins in 'Engaging', at 50 %."""
        return DealOpened(
            name="Deal",
            pipeline=self.stages.pipeline,
            stage=self.stages.engaging,
            probability=50,
            amount=None if amount is None else Decimal(amount),
            currency=currency,
            **fields,
        )

    def won(self, amount: str, currency: str = "USD") -> DealWon:
        """It is won."""
        return DealWon(previous=self.stages.engaging, stage=self.stages.won, amount=Decimal(amount), currency=currency)

    def lost(self) -> DealLost:
        """It is lost."""
        return DealLost(previous=self.stages.engaging, stage=self.stages.lost)

    def moved(self, stage: UUID) -> DealStageChanged:
        """It moves to another open stage, at 10 %."""
        return DealStageChanged(
            previous=self.stages.engaging, pipeline=self.stages.pipeline, stage=stage, probability=10
        )

    def reopened(self) -> DealReopened:
        """It is open again, at 50 %."""
        return DealReopened(previous=self.stages.lost, stage=self.stages.engaging, probability=50)

    def deal(self, *events: tuple[DealEvent, datetime]) -> UUID:
        """A deal to which each of these happens then."""
        facts, instants = zip(*events, strict=True)
        return self.tenancy.happens("deal", uuid7(), *facts, at=instants)

    def shown(self, as_of: date | datetime | None = None, zone: str = "UTC", **viewer: Any) -> dict[str, StageTotals]:
        """The pipeline's stages by their names."""
        self.tenancy.project()
        seen = structs.replace(self.tenancy.viewer, time_zone=zone, **viewer)
        return {str(each.stage): each for each in pipeline(self.tenancy.database, seen, now=NOW, as_of=as_of).stages}

    def counts(self, as_of: date | datetime | None = None, zone: str = "UTC", **viewer: Any) -> Mapping[str, int]:
        """How many deals are in each stage that has any."""
        return {name: each.deals for name, each in self.shown(as_of, zone, **viewer).items() if each.deals}

    def leaders(self, by: By = "owner", zone: str = "UTC", **asked: Any) -> Leaderboard:
        """The leaderboard."""
        self.tenancy.project()
        viewer = structs.replace(self.tenancy.viewer, time_zone=zone)
        return leaderboard(self.tenancy.database, viewer, by=by, **asked)

    def user(self, first: str, last: str, **fields: Any) -> UUID:
        """A user of that name."""
        personal = UserPersonal(first_name=first, last_name=last)
        return self.tenancy.happens("user", uuid7(), UserCreated(personal=personal, role=Role.REP, **fields))


def money(values: Any) -> list[tuple[str, str | None]]:
    return [(str(each.amount), each.currency) for each in values]
