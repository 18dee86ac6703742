"""Deals over HTTP."""

from api.operations import Operation
from api.records import Records
from domain.deals.commands import (
    ArchiveDeal,
    AssignDeal,
    ChangeDealStage,
    CloseDeal,
    DealNotClosed,
    DealNotOpen,
    DealValueRequired,
    EditDeal,
    LostReasonRequired,
    NoDefaultPipeline,
    NoSuchStage,
    OpenDeal,
    ReopenDeal,
    RestoreDeal,
)
from projections.deals.directory import DEALS, DealRow

RECORDS = Records(
    path="deals",
    entity="deal",
    directory=DEALS,
    row=DealRow,
    create=OpenDeal,
    edit=EditDeal,
    archive=ArchiveDeal,
    restore=RestoreDeal,
    refuses=(NoSuchStage, NoDefaultPipeline, DealNotOpen, DealValueRequired),
    example={
        "name": "Analytical engine for the ministry",
        "amount": "1054.00",
        "currency": "USD",
        "expected_close": "2027-06-30",
        "lines": [{"description": "Installation", "quantity": "2", "unit_price": "527.00"}],
    },
    edit_example={"amount": "1200.00", "next_step": "Send the offer", "expected_close": None},
)

OPERATIONS: list[Operation] = [
    *RECORDS.operations(),
    RECORDS.verb(
        "change-stage",
        ChangeDealStage,
        example={"stage": "01900000-0000-7000-8000-000000000002"},
        refuses=(DealNotOpen, NoSuchStage, LostReasonRequired, DealValueRequired),
    ),
    RECORDS.verb("assign", AssignDeal, example={"owner": "01900000-0000-7000-8000-000000000001"}),
    RECORDS.verb(
        "close",
        CloseDeal,
        example={"outcome": "lost", "reason": "Went with a competitor"},
        refuses=(DealNotOpen, NoSuchStage, LostReasonRequired, DealValueRequired),
    ),
    RECORDS.verb("reopen", ReopenDeal, example={}, refuses=(DealNotClosed, NoSuchStage)),
]
