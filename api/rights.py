"""The rights as docs/rights.md prints them: `python -m api.rights` writes its tables anew."""

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from api.operations import Operation
from domain.permissions import RIGHTS, Role, Scope

OF_ONESELF: Mapping[str, str] = {
    "log-out": "their own session",
    "browser-session": "their own session",
    "log-browser-out": "their own session",
    "list-sessions": "their own sessions",
    "end-session": "their own sessions",
    "change-password": "their own password",
    "myself": "themselves",
    "show-second-factor": "their own",
    "begin-second-factor": "their own",
    "confirm-second-factor": "their own",
    "turn-second-factor-off": "their own",
    "make-api-key": "their own keys",
    "list-api-keys": "their own keys",
    "edit-api-key": "their own keys",
    "end-api-key": "their own keys",
    "search": "of each kind what `account:read`, `contact:read` and `deal:read` let them see",
}
"""Operations that need no permission, because they reach no further than this."""

_WORDS: Mapping[Scope | None, str] = {
    None: "–",
    Scope.ALL: "all",
    Scope.TEAM: "team",
    Scope.OWN: "own",
    Scope.SET: "all or own",
}


def rule_of(operation: Operation) -> str:
    """Who may ask for an operation. Raises KeyError for one of which nobody has said it."""
    if operation.permission is not None:
        if operation.permission not in RIGHTS:
            raise KeyError(operation.permission)
        return f"`{operation.permission}`"
    if operation.public:
        return "anybody"
    return f"any user: {OF_ONESELF[operation.name]}"


def key_rule_of(operation: Operation) -> str:
    """Whether an API key with the scope may ask for an operation, too."""
    if operation.public:
        return "–"
    return "no" if operation.by_person else operation.by_key or "yes"


def permissions_table() -> str:
    """Permission × role, each cell a scope."""
    rows = ((f"`{permission}`", *(_WORDS[held.get(role)] for role in Role)) for permission, held in RIGHTS.items())
    return _table(("permission", *Role), rows)


def routes_table(operations: Iterable[Operation]) -> str:
    """What each route needs. Raises KeyError."""
    rows = (
        (each.method, f"`{each.path.replace(':uuid', '')}`", rule_of(each), key_rule_of(each)) for each in operations
    )
    return _table(("", "route", "needs", "by a key"), rows)


def printed(document: str, operations: Sequence[Operation]) -> str:
    """The document with its tables as they must be."""
    for name, table in (("permissions", permissions_table()), ("routes", routes_table(operations))):
        begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
        before, _, rest = document.partition(begin)
        document = f"{before}{begin}{table}{end}{rest.partition(end)[2]}"
    return document


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return "".join(f"{line}\n" for line in _lines(head, rows))


def _lines(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"


if __name__ == "__main__":
    from api.app import OPERATIONS

    page = Path(sys.argv[1] if len(sys.argv) > 1 else "docs/rights.md")
    page.write_text(printed(page.read_text(), OPERATIONS))
