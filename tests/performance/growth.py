"""`python -m tests.performance.growth [SIZE…]`: does what people wait for stay as fast while a tenant grows?

One tenant grows to 10,000, 100,000 and 1,000,000 contacts beside 1,000 small ones. At each size it is asked the same
things, one after another; all that is compared lies within one run. Exit code 1 when something grows by more than half.
"""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from uuid_utils.compat import uuid7

from application.handling import Sender
from application.tenancy import OPERATOR
from domain.contacts.commands import CreateContact, EmailDraft
from domain.tenants.commands import RegisterTenant
from infrastructure.bootstrap import build
from tests.fixtures import PASSWORDS, copied, prepare_template
from tests.journeys.system import EMAIL, PASSWORD, System, environment, running, settings_of
from tests.performance.populace import write_contacts, write_deals
from tests.performance.report import Figure, Gate
from tests.performance.serving import word
from tests.services.session import ServiceSession

SIZES = (10_000, 100_000, 1_000_000)
SMALL_TENANTS, SMALL_CONTACTS = 1_000, 3
TENANT = "grown"
ASKED = 200
CONTACTS_PER_DEAL = 10
GROWTH = 1.5
"""How much slower 95 of 100 answers may be at the last size than at the first."""

Measured = Mapping[str, tuple[float, float]]
"""Of each question: the median and the 95th percentile, in milliseconds."""


def main() -> int:
    """Grows a tenant and asks; 1 when a gate does not hold."""
    sizes = [int(each.replace("_", "")) for each in sys.argv[1:]] or list(SIZES)
    return judged(measured(sizes))


def measured(sizes: Sequence[int]) -> dict[int, Measured]:
    """What a tenant of a system of its own is found to be like at each size."""
    with ServiceSession() as services, TemporaryDirectory() as place:
        superuser = services.postgres.superuser_url
        urls = copied(superuser, prepare_template(superuser, PASSWORDS))
        stores = (services.redis_url, services.elasticsearch_url, services.mongodb_url)
        variables = {**environment(urls, *stores), "LOG_LEVEL": "warning"}
        with running(variables, Path(place)) as system:
            _settle(system)
            found: dict[int, Measured] = {}
            before = 0
            for size in sizes:
                _grow(system, Path(place), before, size)
                found[size] = {name: _times(question) for name, question in _questions(system, size).items()}
                for name, (median, high) in found[size].items():
                    told = f"median {median:8.2f} ms   p95 {high:8.2f} ms"
                    print(f"       {size:>9,} contacts, {name:<24} {told}", flush=True)
                before = size
    return found


def judged(found: Mapping[int, Measured]) -> int:
    """Prints how each question's p95 has grown from the first size to the last; 1 when one by more than GROWTH."""
    sizes = list(found)
    first, last = found[sizes[0]], found[sizes[-1]]
    gates = [
        Gate(f"{name}, p95 at {sizes[-1]:,} / at {sizes[0]:,} contacts", last[name][1] / first[name][1], at_most=GROWTH)
        for name in first
    ]
    print(*gates, sep="\n")
    return 0 if all(gate.holds for gate in gates) else 1


def _settle(system: System) -> None:
    """The tenant that will grow, and the small ones beside it."""
    for command in (
        ("tenant", "create", "Grown Inc.", "--subdomain", TENANT, "--plan", "custom", "--max-users", "0"),
        ("seed", "admin", "--tenant", TENANT, "--email", EMAIL, "--password", PASSWORD),
    ):
        done = system.run(*command)
        if done.returncode:
            raise RuntimeError(done.stderr)
    built = build(settings_of(system.variables))
    try:
        for number in range(SMALL_TENANTS):
            tenant = built.tenancy.register(RegisterTenant(name=f"Small {number}", subdomain=f"small-{number}")).id
            sender = Sender(tenant=tenant, actor="cli", permissions=OPERATOR, correlation=uuid7())
            for contact in range(SMALL_CONTACTS):
                email = EmailDraft(address=f"{contact}@small-{number}.example")
                command_ = CreateContact(first_name=word(contact), last_name=word(number), emails=(email,))
                built.handler.handle(sender, "contact", uuid7(), command_)
    finally:
        built.close()
    system.log_in(TENANT)
    system.wait_until_projected(600)


def _grow(system: System, place: Path, before: int, size: int) -> None:
    """Imports the contacts that are missing, and says how fast and with how much memory."""
    started = time.monotonic()
    used = _imported(system, place, "contacts", *write_contacts(place, TENANT, before, size, users=0))
    taken = time.monotonic() - started
    system.wait_until_projected(3600)
    print(Figure(f"import of {size - before:,} contacts", (size - before) / taken, "contacts/s"))
    print(Figure(f"import of {size - before:,} contacts, largest memory", used, "MiB"))
    print(Figure(f"import to the last projection of {size:,}", time.monotonic() - started, "s"), flush=True)
    _imported(system, place, "deals", *write_deals(place, before // CONTACTS_PER_DEAL, size // CONTACTS_PER_DEAL))
    system.wait_until_projected(3600)


def _imported(system: System, place: Path, kind: str, file: Path, map: Path) -> float:
    """Imports a file, and removes it; the largest memory that this took, in MiB."""
    command = [sys.executable, "-m", "api.commandline", "import", kind, str(file), "--map", str(map)]
    with (place / "import.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--tenant", TENANT], env=dict(system.variables), cwd=place, stdout=log, stderr=log
        )
        _, code, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(code)
    if process.returncode:
        raise RuntimeError((place / "import.log").read_text()[-2000:])
    file.unlink()
    return used.ru_maxrss / 1024


def _questions(system: System, size: int) -> dict[str, Callable[[int], Any]]:
    """What is asked at each size, by name; each is given the number of the try."""
    system.log_in(TENANT)  # an access token lasts for 15 minutes
    ids, deep = _walked(system, size * 9 // 10 // 200)
    return {
        "get": lambda number: system.get(f"/contacts/{ids[number % len(ids)]}"),
        "first page": lambda _: system.get("/contacts", limit=50),
        "deep page": lambda _: system.get("/contacts", limit=50, cursor=deep),
        "filter": lambda number: system.get("/contacts", limit=50, status=("new", "qualified")[number % 2]),
        "filter, few match": lambda _: system.get("/contacts", limit=50, owner="me"),
        "filter, none matches": lambda _: system.get("/contacts", limit=50, archived="true"),
        "search": lambda number: system.get("/search", q=f"{word(number)} {word(number + 7)}", types="contact"),
        "pipeline": lambda _: system.get("/analytics/pipeline"),
        "append": lambda number: system.send(
            "POST",
            "/contacts",
            {"first_name": "New", "last_name": "One", "emails": [{"address": f"{size}-{number}@new.example"}]},
        ),
    }


def _walked(system: System, pages: int) -> tuple[list[str], str]:
    """Some ids from all over these pages of 200, and the cursor of what is behind them."""
    ids: list[str] = []
    cursor: dict[str, str] = {}
    for _ in range(pages):
        page = system.get("/contacts", limit=200, **cursor)
        ids += [each["id"] for each in page["items"][::100]]
        cursor = {"cursor": page["next"]}
    return ids, cursor["cursor"]


def _times(question: Callable[[int], Any]) -> tuple[float, float]:
    for number in range(20):  # caches, connections, plans
        question(-1 - number)
    taken = []
    for number in range(ASKED):
        started = time.perf_counter()
        question(number)
        taken.append((time.perf_counter() - started) * 1000)
    return statistics.median(taken), statistics.quantiles(taken, n=20)[18]


if __name__ == "__main__":
    sys.exit(main())
