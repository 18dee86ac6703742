"""What the domain refuses, as problems of the row that asked for it."""

from application.importing.problems import Problem
from application.importing.rows import EXTERNAL_ID, Plan, Row
from domain.kernel import ReferenceArchived, Refused

_FIELDS = {
    "emails": "email",
    "phones": "phone",
    "lines": "product",
    "contacts": "contact",
    "prices": "price",
    "lost_reason": "reason",
    "pipeline": "stage",
}


def problem_of(refused: Refused, plan: Plan, row: Row) -> Problem:
    """The problem that a refusal is, at the field of the row that it is about."""
    field = _field(refused.field, plan)
    reason = refused.message
    if isinstance(refused, ReferenceArchived) and field in plan.references:
        reason = f"The {plan.columns[field].field.entity} '{row.values[field]}' is archived."
    return Problem(code=refused.code, reason=reason, field=field)


def _field(pointer: str | None, plan: Plan) -> str | None:
    """The imported field that a pointer into a command (`/lines/0/quantity`) is about."""
    if pointer is None:
        return None
    parts = [part for part in pointer.split("/") if part]
    for part in reversed(parts):
        if part == EXTERNAL_ID or part in plan.columns:
            return part
    if parts and parts[0] == "amount" and "won_amount" in plan.columns:
        return "won_amount"
    return _FIELDS.get(parts[0], parts[0]) if parts else None
