"""Accounts over HTTP."""

from api.operations import Operation
from api.records import Records
from application.neighbourhood import TooDeep
from domain.accounts.commands import ArchiveAccount, AssignAccount, CreateAccount, EditAccount, RestoreAccount
from domain.kernel import HierarchyCycle
from projections.accounts.directory import ACCOUNTS, AccountRow

RECORDS = Records(
    path="accounts",
    entity="account",
    directory=ACCOUNTS,
    row=AccountRow,
    create=CreateAccount,
    edit=EditAccount,
    archive=ArchiveAccount,
    restore=RestoreAccount,
    refuses=(HierarchyCycle, TooDeep),
    example={
        "name": "Analytical Engines Ltd",
        "industry": "software",
        "employees": 120,
        "annual_revenue": "1500000.00",
        "currency": "GBP",
        "website": "https://example.com",
        "address": {"city": "London", "country": "United Kingdom"},
    },
    edit_example={"industry": "education", "website": None},
)

OPERATIONS: list[Operation] = [
    *RECORDS.operations(),
    RECORDS.verb("assign", AssignAccount, example={"owner": "01900000-0000-7000-8000-000000000001"}),
]
