"""A company whose people stand in every relation to a record: their own, their team's, somebody else's, nobody's."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import msgspec
from litestar.testing import TestClient
from uuid_utils.compat import uuid7

from api.headers import MIN_POSITION
from api.records import Records
from application.handling import Sender
from application.tenancy import OPERATOR
from domain.permissions import Role
from infrastructure.bootstrap import Application
from tests.api.kinds import body_of
from tests.api.stand import NOBODY, Company, Person, company

RELATIONS = ("own", "team", "foreign", "nobody's")


@dataclass
class Staff:
    """`actors` by what they are called in the tests; the reps `below` and `beside` make the relations."""

    company: Company
    actors: Mapping[str, tuple[Role, Person]]
    below: Person
    beside: Person

    def owner(self, relation: str, actor: Person) -> UUID | None:
        """Who owns a record that is to stand in that relation to the actor."""
        owners = {"own": actor.id, "team": self.below.id, "foreign": self.beside.id, "nobody's": None}
        return owners[relation]

    def makes(self, kind: Records, owner: UUID | None = None, **fields: Any) -> str:
        """A record made by nobody in particular; its id."""
        body = body_of(kind, **fields)
        if "owner" in kind.create.__struct_fields__:
            body["owner"] = owner
        sender = Sender(tenant=self.company.profile.id, actor="cli", permissions=OPERATOR, correlation=uuid7())
        handler = self.company.application.handler
        return str(handler.handle(sender, kind.entity, uuid7(), msgspec.convert(body, kind.create)).id)

    @property
    def up_to_date(self) -> dict[str, str]:
        """The header that has a query wait for all that the staff has made."""
        return {MIN_POSITION: str(self.company.application.store.head(self.company.profile.id))}


def staff(application: Application, client: TestClient[Any], *, viewers_see: str) -> Staff:
    """A manager, a rep below them, and a rep below that one; an admin; a viewer; and a rep beside them all."""
    made = company(application, client, max_users=None, settings={"viewers_see": viewers_see})
    manager = made.people[Role.MANAGER]
    rep = made.hires(Role.REP, manager=manager.id)
    nobody = replace(made.viewer, id=NOBODY, token="")
    actors = {
        "anonymous": (Role.VIEWER, nobody),
        f"viewer of {viewers_see}": (Role.VIEWER, made.viewer),
        "rep": (Role.REP, rep),
        "manager": (Role.MANAGER, manager),
        "admin": (Role.ADMIN, made.admin),
    }
    return Staff(made, actors, made.hires(Role.REP, manager=rep.id), made.hires(Role.REP))
