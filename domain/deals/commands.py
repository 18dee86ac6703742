"""What can be asked of a deal, and what it decides."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal, assert_never
from uuid import UUID

from msgspec import UNSET, Meta, UnsetType

from domain.currencies import check_currency
from domain.deals.events import (
    DealArchived,
    DealAssigned,
    DealEdited,
    DealEvent,
    DealLost,
    DealOpened,
    DealReopened,
    DealRestored,
    DealStageChanged,
    DealWon,
)
from domain.deals.lines import Contacts, Lines, amount_of, entered_contacts, entered_lines
from domain.deals.state import Deal
from domain.kernel import (
    AlreadyExists,
    Archived,
    Claim,
    Command,
    Invalid,
    NotFound,
    Reference,
    Refused,
    changes,
    given,
    newly_named,
)
from domain.neighbours import Neighbours, PipelineFacts, StageFacts, StageKind
from domain.values import Currency, ExternalId, Label, Name, Percentage, Text, check_amount, check_texts

Competitors = Annotated[tuple[Label, ...], Meta(max_length=50)]


class DealNotOpen(Refused):
    """A closed deal doesn't move and can't be closed again: reopen it first."""

    code = "deal_not_open"


class DealNotClosed(Refused):
    """Only a closed deal can be reopened."""

    code = "deal_not_closed"


class LostReasonRequired(Refused):
    """A lost deal says why it was lost."""

    code = "lost_reason_required"


class DealValueRequired(Refused):
    """A won deal says what it is worth: an amount and its currency."""

    code = "deal_value_required"


class NoSuchStage(Refused):
    """The stage is not one of the deal's pipeline, or not of the kind that the command needs."""

    code = "no_such_stage"


class NoDefaultPipeline(Refused):
    """A deal that names no pipeline goes into the default one, and the tenant has none."""

    code = "no_default_pipeline"


class OpenDeal(Command, frozen=True, kw_only=True):
    """Open a deal: in the default pipeline and its first open stage unless others are named."""

    PERMISSION: ClassVar[str] = "deal:create"
    CREATES: ClassVar[bool] = True
    name: Name
    pipeline: UUID | None = None
    stage: UUID | None = None
    probability: Percentage | None = None
    owner: UUID | None = None
    account: UUID | None = None
    contacts: Contacts = ()
    lines: Lines = ()
    amount: Decimal | None = None
    currency: Currency | None = None
    expected_close: date | None = None
    lead_source: Label | None = None
    next_step: Text | None = None
    description: Text | None = None
    competitors: Competitors = ()
    external_id: ExternalId | None = None


class EditDeal(Command, frozen=True, kw_only=True):
    """Change fields of a deal. Its stage, owner and outcome have commands of their own."""

    PERMISSION: ClassVar[str] = "deal:update"
    name: Name | UnsetType = UNSET
    probability: Percentage | UnsetType = UNSET
    account: UUID | UnsetType | None = UNSET
    contacts: Contacts | UnsetType = UNSET
    lines: Lines | UnsetType = UNSET
    amount: Decimal | UnsetType | None = UNSET
    currency: Currency | UnsetType | None = UNSET
    expected_close: date | UnsetType | None = UNSET
    lead_source: Label | UnsetType | None = UNSET
    next_step: Text | UnsetType | None = UNSET
    description: Text | UnsetType | None = UNSET
    competitors: Competitors | UnsetType = UNSET
    lost_reason: Text | UnsetType | None = UNSET
    external_id: ExternalId | UnsetType | None = UNSET


class ChangeDealStage(Command, frozen=True, kw_only=True):
    """Move a deal to a stage: a won or lost one closes it. `pipeline` moves it to another pipeline's stage."""

    PERMISSION: ClassVar[str] = "deal:update"
    stage: UUID
    pipeline: UUID | None = None
    reason: Text | None = None


class CloseDeal(Command, frozen=True, kw_only=True):
    """Close a deal as won or lost, in that kind's stage of its pipeline; lost needs a reason.

    `amount` and `currency` settle what was agreed in the end.
    """

    PERMISSION: ClassVar[str] = "deal:update"
    outcome: Literal["won", "lost"]
    reason: Text | None = None
    stage: UUID | None = None
    amount: Decimal | None = None
    currency: Currency | None = None


class CloseImportedDeal(CloseDeal, frozen=True, kw_only=True):
    """Close a deal as another system did, which may not tell why it was lost."""

    PERMISSION: ClassVar[str] = "deal:import"


class ReopenDeal(Command, frozen=True, kw_only=True):
    """Open a closed deal again: in the given open stage, else in the one it was closed from."""

    PERMISSION: ClassVar[str] = "deal:update"
    stage: UUID | None = None


class AssignDeal(Command, frozen=True, kw_only=True):
    """Give a deal to another owner."""

    PERMISSION: ClassVar[str] = "deal:assign"
    owner: UUID


class ArchiveDeal(Command, frozen=True, kw_only=True):
    """Take a deal out of the lists."""

    PERMISSION: ClassVar[str] = "deal:delete"


class RestoreDeal(Command, frozen=True, kw_only=True):
    """Bring an archived deal back."""

    PERMISSION: ClassVar[str] = "deal:delete"


DealCommand = (
    OpenDeal
    | EditDeal
    | ChangeDealStage
    | CloseDeal
    | CloseImportedDeal
    | ReopenDeal
    | AssignDeal
    | ArchiveDeal
    | RestoreDeal
)


def references(command: DealCommand, state: Deal | None) -> Iterator[Reference]:
    """The records that a decision needs: the pipeline under guard, others that it newly names to exist."""
    match command:
        case OpenDeal():
            if command.pipeline:
                yield Reference(field="/pipeline", entity="pipeline", id=command.pipeline, guarded=True)
            yield from newly_named("/owner", "user", command.owner, None)
            yield from _mentioned(command, state)
        case EditDeal():
            yield from _mentioned(command, state)
        case AssignDeal():
            yield from newly_named("/owner", "user", command.owner, state.owner if state else None)
        case ChangeDealStage(pipeline=UUID() as pipeline) if state is None or pipeline != state.pipeline:
            yield Reference(field="/pipeline", entity="pipeline", id=pipeline, guarded=True)
        case ChangeDealStage() | CloseDeal() | ReopenDeal():
            if state:
                yield Reference(field="/stage", entity="pipeline", id=state.pipeline, guarded=True, optional=True)
        case ArchiveDeal() | RestoreDeal():
            return


def _mentioned(command: OpenDeal | EditDeal, state: Deal | None) -> Iterator[Reference]:
    """Accounts and contacts that are new in the deal, and all products, whose prices its lines may take."""
    yield from newly_named("/account", "account", command.account, state.account if state else None)
    known = {each.contact for each in state.contacts} if state else set()
    for number, each in enumerate(command.contacts or ()):
        if each.contact not in known:
            yield Reference(field=f"/contacts/{number}/contact", entity="contact", id=each.contact)
    sold = {line.product for line in state.lines} if state else set()
    for number, line in enumerate(command.lines or ()):
        if line.product:
            field = f"/lines/{number}/product"
            yield Reference(field=field, entity="product", id=line.product, optional=line.product in sold)


def claims(state: Deal) -> frozenset[Claim]:
    """The values that no other deal of the tenant may hold."""
    return frozenset({Claim("deal.external_id", state.external_id)} if state.external_id else ())


def decide(command: DealCommand, state: Deal | None, neighbours: Neighbours) -> list[DealEvent]:
    """What a command makes of a deal.

    Raises Invalid, Archived, AlreadyExists, NotFound, DealNotOpen, DealNotClosed, LostReasonRequired,
    DealValueRequired, NoDefaultPipeline or NoSuchStage.
    """
    check_texts(command)
    if isinstance(command, OpenDeal):
        if state is not None:
            raise AlreadyExists("This deal is there already.")
        return _open(command, neighbours)
    if state is None:
        raise NotFound("There is no such deal.")
    if isinstance(command, RestoreDeal):
        return [DealRestored()] if state.archived else []
    if isinstance(command, ArchiveDeal):
        return [] if state.archived else [DealArchived()]
    if state.archived:
        raise Archived("This deal is archived: restore it first.")
    match command:
        case EditDeal():
            return _edit(command, state, neighbours)
        case ChangeDealStage():
            return _change_stage(command, state, neighbours)
        case CloseDeal():
            return _close_as_told(command, state, _pipeline(neighbours, state.pipeline))
        case ReopenDeal():
            return _reopen(command, state, _pipeline(neighbours, state.pipeline))
        case AssignDeal(owner=owner):
            return [] if owner == state.owner else [DealAssigned(previous=state.owner, owner=owner)]
        case _ as never:
            assert_never(never)


def _open(command: OpenDeal, neighbours: Neighbours) -> list[DealEvent]:
    if command.pipeline is None:
        raise NoDefaultPipeline("Name a pipeline: there is no default one.", field="/pipeline")
    pipeline = _pipeline(neighbours, command.pipeline)
    stage = pipeline.stage(command.stage) if command.stage else pipeline.first(StageKind.OPEN)
    if stage is None:
        raise NoSuchStage("The pipeline has no such stage.", field="/stage")
    if stage.kind is not StageKind.OPEN:
        raise NoSuchStage("A deal is opened in an open stage; close it afterwards.", field="/stage")
    fields = _settled(command, command.currency, neighbours)
    if command.amount is None:
        fields |= amount_of(fields["lines"])
    probability = stage.probability if command.probability is None else command.probability
    return [DealOpened(**{**fields, "stage": stage.id, "probability": probability})]


def _edit(command: EditDeal, state: Deal, neighbours: Neighbours) -> list[DealEvent]:
    currency = state.currency if command.currency is UNSET else command.currency
    changed = changes(_settled(command, currency, neighbours), state)
    if "lines" in changed and command.amount is UNSET and state.kind is StageKind.OPEN:
        changed |= changes(amount_of(changed["lines"]), state)
    if state.kind is not StageKind.OPEN and "probability" in changed:
        raise DealNotOpen(f"The deal is {state.kind}: its probability is settled.", field="/probability")
    if state.kind is StageKind.WON and None in (changed.get("amount", state.amount), currency):
        raise DealValueRequired("A won deal keeps an amount and its currency.", field="/amount")
    if "lost_reason" in changed:
        _check_lost_reason(changed["lost_reason"], state)
    return [DealEdited(**changed)] if changed else []


def _check_lost_reason(reason: str | None, state: Deal) -> None:
    if state.kind is not StageKind.LOST:
        raise Invalid("Only a lost deal has a reason for its loss.", field="/lost_reason")
    if not reason or not reason.strip():
        raise LostReasonRequired("Say why the deal was lost.", field="/lost_reason")


def _settled(command: OpenDeal | EditDeal, currency: str | None, neighbours: Neighbours) -> dict[str, Any]:
    """The fields that a command sets, checked, its drafts made what they stand for."""
    fields = given(command)
    if fields.get("amount") is not None:
        check_amount(fields["amount"], "/amount")
    check_currency(fields.get("currency"), "/currency")
    if "contacts" in fields:
        fields["contacts"] = entered_contacts(fields["contacts"])
    if "lines" in fields:
        fields["lines"] = entered_lines(fields["lines"], currency, neighbours)
    return fields


def _change_stage(command: ChangeDealStage, state: Deal, neighbours: Neighbours) -> list[DealEvent]:
    target = command.pipeline or state.pipeline
    if command.stage == state.stage and target == state.pipeline:
        return []
    if state.kind is not StageKind.OPEN:
        raise DealNotOpen(f"The deal is {state.kind}: reopen it first.", field="/stage")
    stage = _pipeline(neighbours, target).stage(command.stage)
    if stage is None:
        raise NoSuchStage("The pipeline has no such stage.", field="/stage")
    if stage.kind is StageKind.OPEN:
        return [DealStageChanged(previous=state.stage, pipeline=target, stage=stage.id, probability=stage.probability)]
    if target != state.pipeline:
        raise NoSuchStage("A deal is closed in its own pipeline: move it to an open stage first.", field="/stage")
    return _close(state, stage, command.reason, None, None)


def _close_as_told(command: CloseDeal, state: Deal, pipeline: PipelineFacts) -> list[DealEvent]:
    kind = StageKind(command.outcome)
    stage = pipeline.stage(command.stage) if command.stage else pipeline.first(kind)
    if stage is None or stage.kind is not kind:
        raise NoSuchStage(f"The pipeline has no such stage of kind '{kind}'.", field="/stage")
    if isinstance(command, CloseImportedDeal) and kind is StageKind.LOST and state.kind is StageKind.OPEN:
        return [DealLost(previous=state.stage, stage=stage.id, reason=command.reason)]
    return _close(state, stage, command.reason, command.amount, command.currency)


def _close(
    state: Deal, stage: StageFacts, reason: str | None, amount: Decimal | None, currency: str | None
) -> list[DealEvent]:
    if state.kind is not StageKind.OPEN:
        raise DealNotOpen(f"The deal is {state.kind} already: a closed deal can't be closed again.")
    check_currency(currency, "/currency")
    amount = state.amount if amount is None else amount
    currency = currency or state.currency
    if amount is not None:
        check_amount(amount, "/amount")
    if stage.kind is StageKind.LOST:
        if not reason or not reason.strip():
            raise LostReasonRequired("Say why the deal was lost.", field="/reason")
        return [DealLost(previous=state.stage, stage=stage.id, reason=reason)]
    if amount is None or currency is None:
        missing = "/amount" if amount is None else "/currency"
        raise DealValueRequired("A won deal needs an amount and its currency.", field=missing)
    return [DealWon(previous=state.stage, stage=stage.id, amount=amount, currency=currency, reason=reason)]


def _reopen(command: ReopenDeal, state: Deal, pipeline: PipelineFacts) -> list[DealEvent]:
    if state.kind is StageKind.OPEN:
        raise DealNotClosed("The deal is open.")
    wanted = command.stage or state.left_stage
    stage = pipeline.stage(wanted) if wanted else None
    if stage is None or stage.kind is not StageKind.OPEN:
        raise NoSuchStage("A deal is reopened in an open stage of its pipeline.", field="/stage")
    return [DealReopened(previous=state.stage, stage=stage.id, probability=stage.probability)]


def _pipeline(neighbours: Neighbours, pipeline: UUID) -> PipelineFacts:
    facts = neighbours.get(pipeline)
    if not isinstance(facts, PipelineFacts):
        raise NoSuchStage("The deal's pipeline is not there.", field="/pipeline")
    return facts
