"""The OpenAPI 3.1 description of the table of operations."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import structs

from api.annotations import is_list
from api.headers import IDEMPOTENCY_KEY, MIN_POSITION, OF_FILES, POSITION, REQUEST_ID, STALE
from api.operations import Operation
from api.problems import PROBLEM_JSON, STATUS, Problem, title_of
from api.refusals import (
    CsrfTokenMissing,
    InvalidRequest,
    MalformedHeader,
    MalformedJson,
    NotAuthenticated,
    TooLarge,
    TooManyAtOnce,
    TooManyRequests,
    TooSlow,
    UnsupportedMediaType,
)
from application.handling import Forbidden, Outcome
from domain.kernel import Refused
from infrastructure.tokens import ExpiredToken, InvalidToken, RevokedToken
from projections.pages import MOST

VERSION = "0.1.0"
_REFERENCE = "#/components/schemas/{name}"
_RECORD = "01900000-0000-7000-8000-000000000042"
_EXAMPLES: Mapping[Any, Any] = {Outcome: {"id": _RECORD, "version": 1, "position": 1054}}

_ABOUT = f"""Commands answer `{{id, version, position}}`; lists answer `{{items, next}}`, with `next` as a Link too.
`ETag` is a record's version, and `If-Match` guards a write with it. `{IDEMPOTENCY_KEY}` makes a POST repeatable.
A query waits for its reader's own last write, and for the position in `{MIN_POSITION}`; when it could not wait long
enough, the answer says `{STALE}: true`. `RateLimit` tells how many more requests of the kind are answered for now.
Errors are problem+json (RFC 9457) with a stable `code`."""


def document(operations: Sequence[Operation], prefix: str) -> dict[str, Any]:
    """The whole description."""
    schemas, components = _schemas(operations)
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        path = prefix + re.sub(r":\w+", "", operation.path)
        paths.setdefault(path, {})[operation.method.lower()] = _operation(operation, schemas, components)
    return {
        "openapi": "3.1.0",
        "info": {"title": "ClientForge", "version": VERSION, "description": _ABOUT},
        "paths": paths,
        "tags": [{"name": tag} for tag in dict.fromkeys(each.tag for each in operations)],
        "components": {
            "schemas": components,
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
        "security": [{"bearer": []}],
    }


def refusals_of(operation: Operation) -> list[type[Refused]]:
    """All that an operation may be refused for, each once."""
    found: list[type[Refused]] = (
        [] if operation.public else [NotAuthenticated, InvalidToken, ExpiredToken, RevokedToken]
    )
    if operation.permission is not None or operation.by_person:
        found.append(Forbidden)
    if operation.body is not None:
        found += [MalformedJson, TooSlow, TooLarge, UnsupportedMediaType]
    if operation.opens is not None:
        found += [TooSlow, UnsupportedMediaType, TooManyAtOnce]
    if operation.body is not None or structs.fields(operation.query):
        found.append(InvalidRequest)
    if operation.method != "GET" or operation.waits:
        found.append(MalformedHeader)
    if operation.method != "GET" and not operation.public:
        found.append(CsrfTokenMissing)
    found += [TooManyRequests, TooManyAtOnce] if operation.long else [TooManyRequests]
    return list(dict.fromkeys([*found, *operation.refuses]))


def _schemas(operations: Iterable[Operation]) -> tuple[dict[Any, Any], dict[str, Any]]:
    """Each type's schema, and the components that they refer to."""
    types: list[Any] = [Problem]
    for operation in operations:
        types += [each for each in (operation.body, operation.query, operation.answer) if each is not None]
    types = list(dict.fromkeys(types))
    schemas, components = msgspec.json.schema_components(types, ref_template=_REFERENCE)
    return dict(zip(types, schemas, strict=True)), components


def _operation(operation: Operation, schemas: Mapping[Any, Any], components: Mapping[str, Any]) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "tags": [operation.tag],
        "parameters": [*_in_path(operation), *_in_query(operation, schemas, components), *_in_headers(operation)],
        "responses": {str(operation.status): _answer(operation, schemas), **_errors(operation, schemas)},
    }
    if operation.permission is not None:
        described["description"] = f"Needs the permission `{operation.permission}`."
    if operation.body is not None:
        content = {"schema": schemas[operation.body], "example": operation.example or {}}
        described["requestBody"] = {
            "required": bool(operation.example),
            "content": {"application/json": content},
        }
    if operation.opens is not None:
        form = {"type": "object", "properties": {"file": {"type": "string", "format": "binary"}}, "required": ["file"]}
        described["requestBody"] = {"required": True, "content": {"multipart/form-data": {"schema": form}}}
    if operation.public:
        described["security"] = []
    return described


def _in_path(operation: Operation) -> list[dict[str, Any]]:
    if "{id" not in operation.path:
        return []
    schema = {"type": "string", "format": "uuid"}
    return [{"name": "id", "in": "path", "required": True, "schema": schema, "example": _RECORD}]


def _in_query(
    operation: Operation, schemas: Mapping[Any, Any], components: Mapping[str, Any]
) -> Iterable[dict[str, Any]]:
    fields = {each.encode_name: each for each in structs.fields(operation.query)}
    schema = components[schemas[operation.query]["$ref"].rpartition("/")[2]]
    for name, described in schema.get("properties", {}).items():
        owner = {**described, "anyOf": [*described.get("anyOf", [described]), {"const": "me"}]}
        shown = owner if name == "owner" else described
        if "anyOf" in shown:
            # An address can't say null: `any` lifts a filter that is set unless told otherwise.
            without_null = [each for each in shown["anyOf"] if each != {"type": "null"}]
            lifted = [{"const": "any"}] if fields[name].default is False else []
            shown = {**shown, "anyOf": [*without_null, *lifted]}
        if name == "limit":
            shown = {**shown, "minimum": 1, "maximum": MOST}
        parameter = {"name": name, "in": "query", "required": fields[name].required, "schema": shown}
        if is_list(fields[name].type):
            parameter |= {"style": "form", "explode": False}
        yield parameter


def _in_headers(operation: Operation) -> Iterable[dict[str, Any]]:
    if operation.method == "POST" and operation.commands:
        said = "Repeating the request with the same key gives the first answer again."
        yield _header(IDEMPOTENCY_KEY, said, "[!-~]{1,255}")
    if operation.commands and not operation.creates:
        said = 'The version that the record must have, as its ETag tells it, such as `"3"`.'
        yield _header("If-Match", said, r'"[0-9]{1,9}"|\*')
    if operation.waits:
        said = f"The answer must include this position; `{POSITION}` of a command's answer."
        yield _header(MIN_POSITION, said, "[0-9]{1,18}")


def _header(name: str, description: str, pattern: str) -> dict[str, Any]:
    schema = {"type": "string", "pattern": f"^(?:{pattern})$"}
    return {"name": name, "in": "header", "description": description, "schema": schema}


def _answer(operation: Operation, schemas: Mapping[Any, Any]) -> dict[str, Any]:
    headers = [REQUEST_ID, "RateLimit", "RateLimit-Policy"]
    headers += ["ETag"] if operation.commands else []
    headers += [POSITION] if operation.answer is Outcome else []
    headers += ["Location"] if operation.creates else []
    headers += [STALE] if operation.waits else []
    described: dict[str, Any] = {
        "description": "Done.",
        "headers": {name: {"schema": {"type": "string"}} for name in headers},
    }
    if operation.sends_file:
        described["content"] = {"*/*": {"schema": {"type": "string", "format": "binary"}}}
        described["headers"] |= {name: {"schema": {"type": "string"}} for name in ("ETag", *OF_FILES)}
    if operation.answer is not None:
        content = {"schema": schemas[operation.answer]}
        example = operation.answer_example or _EXAMPLES.get(operation.answer)
        described["content"] = {"application/json": content | ({"example": example} if example else {})}
    return described


def _errors(operation: Operation, schemas: Mapping[Any, Any]) -> dict[str, Any]:
    by_status: dict[int, list[type[Refused]]] = {}
    for refused in refusals_of(operation):
        by_status.setdefault(STATUS[refused], []).append(refused)
    return {
        str(status): {
            "description": " ".join(f"`{each.code}`: {title_of(each)}" for each in refused),
            "content": {
                PROBLEM_JSON: {
                    "schema": schemas[Problem],
                    "example": {
                        "type": f"/api/docs#{refused[0].code}",
                        "title": title_of(refused[0]),
                        "status": status,
                        "code": refused[0].code,
                        "detail": "…",
                    },
                }
            },
        }
        for status, refused in sorted(by_status.items())
    }
