"""Many tenants with users who can log in and with contacts: what a load test finds when it begins."""

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from infrastructure.bootstrap import build
from infrastructure.passwords import Passwords
from tests.journeys.system import System, settings_of
from tests.performance.serving import word

PASSWORD = "a password of load tests alone"
ROLES = ("rep", "rep", "rep", "manager", "admin")

_USERS_MAP = """
records = "users"
external_id = "id"
[fields]
first_name = "first"
last_name = "last"
email = "email"
role = "role"
"""
_CONTACTS_MAP = """
records = "contacts"
external_id = "id"
[fields]
first_name = "first"
last_name = "last"
email = "email"
title = "title"
owner = "owner"
status = "status"
"""
_DEALS_MAP = """
records = "deals"
external_id = "id"
currency = "EUR"
[fields]
name = "name"
stage = "stage"
opened = "opened"
amount = "amount"
[pipeline]
opened_in = "Lead"
"""
_SET_PASSWORDS = """
INSERT INTO credentials (tenant_id, user_id, password_hash, changed_at)
SELECT %(tenant)s, user_id, %(hash)s, clock_timestamp() FROM principals WHERE tenant_id = %(tenant)s
ON CONFLICT (tenant_id, user_id) DO NOTHING
"""


def settle(system: System, place: Path, *, contacts: Mapping[str, int], users: int) -> None:
    """Makes a tenant for each subdomain with so many contacts, shared out among `users` users.

    User number N of `load-0` is `user-N@load-0.example`; all have the one password PASSWORD.
    """
    for subdomain, count in contacts.items():
        _run(system, "tenant", "create", subdomain, "--subdomain", subdomain, "--plan", "custom", "--max-users", "0")
        people = _written(place, "users", _USERS_MAP, _users(subdomain, users))
        for kind, (file, map) in (("users", people), ("contacts", write_contacts(place, subdomain, 0, count, users))):
            _run(system, "import", kind, str(file), "--map", str(map), "--tenant", subdomain)
    _set_passwords(system.variables, contacts)


def write_contacts(place: Path, subdomain: str, first: int, until: int, users: int) -> tuple[Path, Path]:
    """A CSV file with the contacts from number `first` to before `until`, and the map for its import."""
    return _written(place, "contacts", _CONTACTS_MAP, _contacts(subdomain, first, until, users))


def write_deals(place: Path, first: int, until: int) -> tuple[Path, Path]:
    """A CSV file with the deals from number `first` to before `until`, all open, and the map for its import."""
    rows = (
        (f"d-{each}", f"Deal of {word(each)}", "Lead", "2026-01-05", f"{each % 900 + 100}")
        for each in range(first, until)
    )
    return _written(place, "deals", _DEALS_MAP, [("id", "name", "stage", "opened", "amount"), *rows])


def _written(place: Path, kind: str, map: str, rows: Iterable[Sequence[str]]) -> tuple[Path, Path]:
    file, beside = place / f"{kind}.csv", place / f"{kind}.toml"
    beside.write_text(map)
    with file.open("w", newline="") as out:
        csv.writer(out).writerows(rows)
    return file, beside


def _users(subdomain: str, count: int) -> Iterator[tuple[str, ...]]:
    yield "id", "first", "last", "email", "role"
    for number in range(count):
        role = ROLES[number % len(ROLES)]
        yield f"u-{number}", word(number), "Person", f"user-{number}@{subdomain}.example", role


def _contacts(subdomain: str, first: int, until: int, users: int) -> Iterator[tuple[str, ...]]:
    yield "id", "first", "last", "email", "title", "owner", "status"
    statuses, titles = ("new", "contacted", "qualified", "unqualified"), ("Buyer", "Owner", "Director")
    for number in range(first, until):
        email = f"{word(number)}.{number}@{subdomain}.example".lower()
        yield (
            *(f"c-{number}", word(number), f"{word(number + 7)} {number}", email),
            *(titles[number % 3], f"u-{number % users}" if users else "", statuses[number % 4]),
        )


def _set_passwords(variables: Mapping[str, str], subdomains: Mapping[str, int]) -> None:
    """Gives all users the one password, hashed once: hundreds of hashes would take longer than the load."""
    built = build(settings_of(variables))
    try:
        hashed = Passwords().hash(PASSWORD)
        for subdomain in subdomains:
            tenant = built.tenancy.find(subdomain).id
            with built.database.transaction(tenant) as transaction:
                transaction.execute(_SET_PASSWORDS, {"hash": hashed})
    finally:
        built.close()


def _run(system: System, *arguments: str) -> None:
    done = system.run(*arguments)
    if done.returncode:
        raise RuntimeError(done.stdout[-2000:] + done.stderr[-2000:])
