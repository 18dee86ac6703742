"""A deal's way through the stages, from the dates of its row: opened, moved, closed, as of then."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from application.importing.building import command
from application.importing.kinds import Circumstances, Step, Steps, Values
from application.importing.problems import Note, rejected
from domain.deals.commands import ChangeDealStage, CloseImportedDeal, ReopenDeal
from domain.deals.state import Deal
from domain.neighbours import StageFacts, StageKind


def opening(values: Values, circumstances: Circumstances) -> tuple[StageFacts, datetime | None, str | None]:
    """The stage in which a new deal was opened, when, and the field that says when.

    A closed deal whose row doesn't say when it was opened was so when it was closed.
    """
    stage = _stage(values, circumstances)
    if stage.kind is not StageKind.OPEN:
        stage = _opened_in(circumstances)
        if values.get("opened") is None:
            return stage, values.get("closed"), "closed"
    return stage, values.get("opened"), "opened"


def closing(values: Values, circumstances: Circumstances) -> Iterator[Step]:
    """The closing of a deal whose row has it in a stage of that kind."""
    stage = _stage(values, circumstances)
    _check_dates(values, stage)
    if stage.kind is StageKind.OPEN:
        return
    fields: dict[str, Any] = {"outcome": stage.kind.value, "stage": stage.id, "reason": values.get("reason")}
    if stage.kind is StageKind.WON:
        amount = values.get("amount") if values.get("won_amount") is None else values["won_amount"]
        fields |= {"amount": amount, "currency": None if amount is None else values.get("currency")}
    closed = command(CloseImportedDeal, fields, {"amount": "won_amount"})
    yield Step(command=closed, at=values.get("closed"), field="closed")


def moves(values: Values, changed: frozenset[str], deal: Deal, circumstances: Circumstances) -> Steps:
    """How a known deal comes to where its row has it now."""
    if "stage" in changed and values["stage"] is None:
        changed -= {"stage"}
    if not changed.intersection(("stage", "opened", "closed")):
        return Steps()
    stage = _stage(values, circumstances)
    _check_dates(values, stage)
    moved = _moved(stage, values, changed, deal, circumstances)
    if "opened" in changed and values.get("opened") is not None and all(each.field != "opened" for each in moved.steps):
        return Steps(moved.steps, (_stays("opened"), *moved.notes))
    return moved


def _moved(
    stage: StageFacts, values: Values, changed: frozenset[str], deal: Deal, circumstances: Circumstances
) -> Steps:
    at_home = deal.pipeline == circumstances.pipeline
    if "stage" in changed and not (at_home and deal.stage == stage.id):
        return Steps(tuple(_to(stage, values, changed, deal, circumstances)))
    if "closed" not in changed or values.get("closed") is None or stage.kind is StageKind.OPEN:
        return Steps()
    if deal.kind is stage.kind:
        return _closed_at_another_time(values, circumstances)
    return Steps(notes=(_stays("closed"),))


def _to(
    stage: StageFacts, values: Values, changed: frozenset[str], deal: Deal, circumstances: Circumstances
) -> Iterator[Step]:
    opened = values.get("opened") if "opened" in changed else None
    at_home = deal.pipeline == circumstances.pipeline
    if deal.kind is not StageKind.OPEN:
        if stage.kind is StageKind.OPEN and at_home:
            yield Step(command=ReopenDeal(stage=stage.id), at=opened, field="opened")
            return
        # It was not closed after all: open it as of its last event, so that no time is left when it seems closed.
        yield Step(command=ReopenDeal(), at=circumstances.last)
    if stage.kind is StageKind.OPEN:
        yield _move(stage, circumstances, opened, "opened")
        return
    before = _opened_in(circumstances)
    if opened is not None and deal.stage != before.id:
        yield _move(before, circumstances, opened, "opened")
    elif not at_home:
        yield _move(before, circumstances, values.get("closed"), "closed")
    yield from closing(values, circumstances)


def _move(stage: StageFacts, circumstances: Circumstances, at: datetime | None, field: str) -> Step:
    return Step(command=ChangeDealStage(pipeline=circumstances.pipeline, stage=stage.id), at=at, field=field)


def _closed_at_another_time(values: Values, circumstances: Circumstances) -> Steps:
    """A closing that was later than recorded: open until then. What was recorded earlier stays where it is."""
    closed = values["closed"]
    if circumstances.last is None or closed <= circumstances.last:
        return Steps(notes=(_stays("closed"),))
    return Steps((Step(command=ReopenDeal(), at=circumstances.last), *closing(values, circumstances)))


def _stays(field: str) -> Note:
    reason = f"The date '{field}' has changed, but what is recorded keeps its time."
    return Note(field=field, reason=reason)


def _stage(values: Values, circumstances: Circumstances) -> StageFacts:
    """The stage that a row names, the first open one where it names none."""
    if not circumstances.stages:
        raise rejected("no_default_pipeline", "There is no pipeline: name one in the map.", "stage")
    name = values.get("stage")
    if name is None:
        return _opened_in(circumstances, first=True)
    for stage in circumstances.stages:
        if stage.name.casefold() == name.casefold():
            return stage
    names = ", ".join(stage.name for stage in circumstances.stages)
    raise rejected("no_such_stage", f"The pipeline has no stage '{name}', but {names}.", "stage")


def _opened_in(circumstances: Circumstances, *, first: bool = False) -> StageFacts:
    if circumstances.opened_in is not None and not first:
        return circumstances.opened_in
    for stage in circumstances.stages:
        if stage.kind is StageKind.OPEN:
            return stage
    raise rejected("no_such_stage", "The pipeline has no open stage.", "stage")


def _check_dates(values: Values, stage: StageFacts) -> None:
    opened, closed = values.get("opened"), values.get("closed")
    if closed is None:
        return
    if stage.kind is StageKind.OPEN and "expected_close" not in values:
        reason = f"A deal in the open stage '{stage.name}' isn't closed: map the date to expected_close."
        raise rejected("invalid_value", reason, "closed")
    if stage.kind is not StageKind.OPEN and opened is not None and closed < opened:
        raise rejected("closed_before_opened", "The deal was closed before it was opened.", "closed")
