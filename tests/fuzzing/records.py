"""Records that generated requests may do anything to."""

from typing import Any
from uuid import uuid4

from tests.api.kinds import KINDS, body_of
from tests.api.uploads import TEXT
from tests.journeys.system import EMAIL, PASSWORD, System

_KINDS = {kind.path: kind for kind in KINDS}
_LOG_IN = {"email": EMAIL, "password": PASSWORD}


def a_record(system: System, path: str, tenant: str) -> str:
    """The id of a new record of the kind that a path below the prefix begins with; of none, where there is no kind."""
    match path.strip("/").split("/"):
        case ["auth", "sessions", *_]:
            before = {each["id"] for each in system.get("/auth/sessions")["items"]}
            system.send("POST", "/auth/login", {**_LOG_IN, "tenant": tenant})
            return next(each["id"] for each in system.get("/auth/sessions")["items"] if each["id"] not in before)
        case ["auth", "api-keys", *_]:
            return _id(system.send("POST", "/auth/api-keys", {"name": "Generated"}))
        case ["files", *_]:
            where = {"entity": "account", "record": a_record(system, "accounts", tenant)}
            sent = system.client.post("/api/v1/files", params=where, files={"file": ("a.txt", TEXT)})
            return _id(sent.raise_for_status().json())
        case [kind, *_] if kind in _KINDS:
            return _id(system.send("POST", f"/{kind}", body_of(_KINDS[kind], **_OWN.get(kind, {}))))
    return str(uuid4())


_OWN: dict[str, dict[str, Any]] = {"users": {"role": "rep"}}


def _id(answer: Any) -> str:
    return str(answer["id"])
