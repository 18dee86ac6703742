"""Companies with people in them, who use the API."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from uuid import UUID

import msgspec
from httpx import Response
from litestar.testing import TestClient
from uuid_utils.compat import uuid7

from application.handling import Sender
from application.tenancy import OPERATOR, TenantProfile
from domain.identity.commands import CreateUser
from domain.permissions import Role
from domain.tenants.commands import RegisterTenant
from infrastructure.bootstrap import Application
from infrastructure.sessions import Sessions
from infrastructure.tokens import AccessTokens

API = "/api/v1"
PASSWORD = "correct horse battery staple"
NOBODY = UUID("01900000-0000-7000-8000-00000000dead")
_numbers = count(1)


@dataclass
class Person:
    """A user with an open session."""

    client: TestClient[Any]
    id: UUID
    email: str
    token: str

    def ask(self, method: str, path: str, body: Any = None, /, **others: Any) -> Response:
        """A request below the prefix. `headers` and `params` as with httpx."""
        headers = {"Authorization": f"Bearer {self.token}", **others.pop("headers", {})}
        content: dict[str, Any] = {} if body is None else {"json": body}
        return self.client.request(
            method, path if path[:5] == "/api/" else API + path, headers=headers, **content, **others
        )

    def get(self, path: str, /, **params: Any) -> Response:
        return self.ask("GET", path, **({"params": params} if params else {}))

    def post(self, path: str, body: Any = None, /, **headers: str) -> Response:
        return self.ask("POST", path, body, headers=headers)

    def patch(self, path: str, body: Any, /, **headers: str) -> Response:
        return self.ask("PATCH", path, body, headers=headers)

    def delete(self, path: str, /, **headers: str) -> Response:
        return self.ask("DELETE", path, headers=headers)

    def makes(self, path: str, body: Any) -> str:
        """Creates a record; its id."""
        answer = self.post(path, body)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])


@dataclass
class Company:
    """A tenant with a person in each role."""

    application: Application
    client: TestClient[Any]
    profile: TenantProfile
    people: dict[Role, Person] = field(default_factory=dict)

    @property
    def admin(self) -> Person:
        return self.people[Role.ADMIN]

    @property
    def rep(self) -> Person:
        return self.people[Role.REP]

    @property
    def viewer(self) -> Person:
        return self.people[Role.VIEWER]

    def hires(self, role: Role, **fields: Any) -> Person:
        """Another user, with a session but no password."""
        email = f"{role}-{next(_numbers)}@example.com"
        told = {"first_name": "Ada", "last_name": role.title(), "email": email, "role": role, **fields}
        outcome = self.application.handler.handle(
            Sender(tenant=self.profile.id, actor="cli", permissions=OPERATOR, correlation=uuid7()),
            "user",
            uuid7(),
            msgspec.convert(told, CreateUser),
        )
        return Person(self.client, outcome.id, told["email"], self.token_of(outcome.id))

    def token_of(self, user: UUID) -> str:
        """An access token of a new session."""
        secret = self.application.settings.jwt_secret.get_secret_value()
        sessions = Sessions(self.application.database, AccessTokens(secret))
        with self.application.database.transaction(self.profile.id) as transaction:
            return sessions.start(transaction, user).access_token


def company(application: Application, client: TestClient[Any], **fields: Any) -> Company:
    """A new tenant with an admin, a manager, a rep and a viewer, and with any number of users unless told otherwise."""
    fields = {"max_users": None, **fields}
    command = RegisterTenant(name="Acme", subdomain=f"acme-{next(_numbers)}-{uuid7().hex[-6:]}", **fields)
    made = Company(application, client, application.tenancy.register(command))
    made.people = {role: made.hires(role) for role in Role}
    return made


def problem(answer: Response, status: int, code: str) -> Mapping[str, Any]:
    """The problem that an answer must be."""
    assert answer.status_code == status, (answer.status_code, answer.text)
    assert answer.headers["content-type"] == "application/problem+json"
    told: Mapping[str, Any] = answer.json()
    assert told["code"] == code, told
    assert told["status"] == status
    assert told["type"] == f"/api/docs#{code}"
    assert told["title"]
    assert told["detail"]
    assert told["request_id"] == answer.headers["x-request-id"]
    return told


def exposed(text: str, series: str) -> float | None:
    """What metrics say of a series; None where they don't have it."""
    found = re.search(f"^{re.escape(series)} (.+)$", text, re.MULTILINE)
    return float(found[1]) if found else None


def metric(client: TestClient[Any], series: str) -> float:
    """What the API's metrics say of a series; 0 where they don't have it."""
    return exposed(client.get("/metrics").text, series) or 0.0


def pointers(told: Mapping[str, Any]) -> set[str]:
    """The fields that a problem points to."""
    return {each["pointer"] for each in told.get("errors", ())}
