"""Every query over the read models, asked by one tenant for what is another's; and with its own condition taken out."""

import re
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

import msgspec
import psycopg
import pytest
from psycopg.rows import dict_row
from uuid_utils.compat import uuid7

from domain.accounts.events import AccountCreated
from domain.contacts.events import ContactCreated, ContactPersonal, PhoneNumber
from domain.deals.events import DealOpened, DealWon
from domain.files.events import FileAttached, FilePersonal, Host
from domain.identity.events import UserCreated, UserPersonal
from domain.kernel import NotFound
from domain.permissions import Role
from domain.products.events import ProductCreated
from projections.catalogue import DIRECTORIES, QUERIES
from tests.projections.relational import Stages, Tenancy

TENANT = re.compile(r"\b((?:\w+\.)?tenant_id) = %\(tenant\)s")


@dataclass
class Furnished:
    """A tenant with a record of each kind."""

    tenancy: Tenancy
    records: dict[str, UUID]


class Told:
    """The database of a tenancy, with the statements that it was asked."""

    def __init__(self, database) -> None:
        self._database = database
        self.asked: list[tuple[str, dict[str, object]]] = []

    def read(self, tenant, sql, parameters=None, *, one_plan=False):
        self.asked.append((sql, dict(parameters or {})))
        return self._database.read(tenant, sql, parameters, one_plan=one_plan)


def furnished(database, store, mark: str) -> Furnished:
    """A tenant with a record of each kind, all of which tell its mark."""
    tenancy, stages = Tenancy(database, store), Stages()
    owner, account, deal, contact, file = uuid7(), uuid7(), uuid7(), uuid7(), uuid7()
    tenancy.happens("pipeline", stages.pipeline, stages.created(f"Sales {mark}", default=True))
    person = UserPersonal(first_name=mark, last_name="User", email=f"{mark}@example.com")
    tenancy.happens("user", owner, UserCreated(personal=person, role=Role.REP, office=f"Office {mark}"))
    tenancy.happens("account", account, AccountCreated(name=f"Account {mark}", owner=owner))
    whole = ContactPersonal(first_name=mark, last_name="Contact", phones=(PhoneNumber(number="123", primary=True),))
    tenancy.happens("contact", contact, ContactCreated(personal=whole, account=account, owner=owner))
    tenancy.happens("product", uuid7(), ProductCreated(name=f"Product {mark}"))
    opened = DealOpened(
        name=f"Deal {mark}", pipeline=stages.pipeline, stage=stages.new, probability=10, owner=owner, account=account
    )
    won = DealWon(previous=stages.new, stage=stages.won, amount=Decimal(1054), currency="USD")
    tenancy.happens("deal", deal, opened, won)
    name = FilePersonal(name=f"{mark}.txt")
    attached = FileAttached(
        personal=name, entity=Host.CONTACT, record=contact, media_type="text/plain", size=1, sha256="0" * 64
    )
    tenancy.happens("file", file, attached)
    tenancy.project()
    records = {"account": account, "contact": contact, "deal": deal, "user": owner, "pipeline": stages.pipeline}
    return Furnished(tenancy, {**records, "file": file})


@pytest.fixture
def ours(database, store):
    return furnished(database, store, "ours")


@pytest.fixture
def theirs(database, store):
    return furnished(database, store, "theirs")


def record_of(tenant: Furnished, query: str) -> UUID:
    """The record that a query of this name is about."""
    return next((record for name, record in tenant.records.items() if name in query), UUID(int=0))


def answer(query, database, tenant, record) -> str:
    try:
        return msgspec.json.encode(query(database, tenant.tenancy.viewer, record)).decode()
    except NotFound:
        return "nothing"


def test_every_query_is_in_the_list():
    assert len(QUERIES) > 60
    for directory in DIRECTORIES:
        assert f"{directory.name}, one" in QUERIES


@pytest.mark.parametrize("name", QUERIES)
def test_a_query_shows_nothing_of_another_tenants_record(database, ours, theirs, name):
    told = answer(QUERIES[name], database, theirs, record_of(ours, name))
    assert "ours" not in told
    for record in (*ours.records.values(), ours.tenancy.id):
        assert str(record) not in told


@pytest.mark.parametrize("name", QUERIES)
def test_row_level_security_holds_where_a_query_forgot_its_tenant(database, ours, theirs, name):
    told = Told(database)
    answer(QUERIES[name], told, ours, record_of(ours, name))
    assert told.asked
    for sql, parameters in told.asked:
        assert TENANT.search(sql), sql
        careless = TENANT.sub("true", sql)
        assert "theirs" not in str(database.read(ours.tenancy.id, careless, parameters))
        assert "ours" not in str(database.read(theirs.tenancy.id, careless, parameters))
        assert "ours" not in str(database.read(uuid7(), careless, parameters))


def test_without_row_level_security_a_careless_query_shows_everything(database, ours, theirs, urls):
    """What the test above relies on: a superuser, whom no policy binds, does see both tenants by it."""
    told = Told(database)
    answer(QUERIES["accounts by name"], told, ours, UUID(int=0))
    [(sql, parameters)] = told.asked
    careless = TENANT.sub("true", sql).replace("(SELECT generation FROM", "(SELECT max(generation) FROM")
    with psycopg.connect(urls.superuser, row_factory=dict_row) as superuser:
        rows = superuser.execute(careless, {**parameters, "tenant": uuid7(), "rows": 100_000}).fetchall()
    assert "Account ours" in str(rows)
    assert "Account theirs" in str(rows)
