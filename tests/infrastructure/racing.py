"""Commands that race: each in a process of its own, all let go at the same moment."""

import multiprocessing
from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID, uuid4

from application.handling import Handler, Sender
from application.tenancy import OPERATOR
from domain.kernel import Command, Refused
from infrastructure.postgres import Database
from tests.fixtures import event_store
from tests.infrastructure.silence import Silence

_SPAWN = multiprocessing.get_context("spawn")


class Asked(NamedTuple):
    """A command on a record."""

    entity: str
    id: UUID
    command: Command


def operator(tenant: UUID) -> Sender:
    """Whoever may do anything in a tenant."""
    return Sender(tenant=tenant, actor="test", permissions=OPERATOR, correlation=uuid4())


def _run(dsn: str, tenant: UUID, commands: Sequence[Asked], ready: Any, go: Any, answers: Any) -> None:
    database = Database(dsn, connections=1)
    handler, sender, said = Handler(event_store(database), Silence()), operator(tenant), []
    for each in commands:
        handler.present(tenant, each.entity, each.id)
    ready.put(True)
    go.wait()
    for each in commands:
        try:
            handler.handle(sender, *each)
        except Refused as refused:
            said.append(refused.code)
        else:
            said.append("done")
    answers.put(said)
    database.close()


def race(dsn: str, tenant: UUID, *racers: Sequence[Asked]) -> list[str]:
    """Lets each racer send its commands, one after another and all racers at once; what each command came to, sorted:
    `done`, or the code of its refusal."""
    ready, go, answers = _SPAWN.Queue(), _SPAWN.Event(), _SPAWN.Queue()
    processes = [_SPAWN.Process(target=_run, args=(dsn, tenant, each, ready, go, answers)) for each in racers]
    for process in processes:
        process.start()
    for _ in processes:
        ready.get(timeout=60)
    go.set()
    said = [code for _ in processes for code in answers.get(timeout=60)]
    for process in processes:
        process.join(timeout=30)
    return sorted(said)
