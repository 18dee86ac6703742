"""Deals in a file, and the map that goes with it."""

from uuid import UUID

from tests.application.importing import Office

DEALS = """
external_id = "id"
currency = "USD"
[fields]
name = { template = ["{product} for {account}", "{product}", "Deal {id}"] }
owner = "agent"
account = "account"
product = "product"
stage = "stage"
opened = "engaged"
closed = "closed"
won_amount = "value"
[aliases.product]
GTXPro = "GTX Pro"
[pipeline]
external_id = "sales"
name = "Hardware"
opened_in = "Engaging"
stages = [
    { name = "Prospecting", probability = 10 },
    { name = "Engaging", probability = 50 },
    { name = "Won", kind = "won", probability = 100 },
    { name = "Lost", kind = "lost", probability = 0 },
]
"""
_HEADER = "id,agent,product,account,stage,engaged,closed,value\n"
NAMES = """
external_id = "name"
currency = "USD"
[fields]
name = "name"
"""


def deals(*rows: str) -> str:
    """A file of these rows."""
    return _HEADER + "".join(f"{row}\n" for row in rows)


def stage_of(office: Office, id: str) -> str:
    """The name of the stage that a deal is in."""
    deal = office.record("deal", id)
    return name_of(office, deal.stage)


def name_of(office: Office, stage: UUID) -> str:
    """The name of a stage of the only pipeline."""
    (pipeline,) = office.records("pipeline").values()
    return next(each.name for each in pipeline.stages if each.id == stage)
