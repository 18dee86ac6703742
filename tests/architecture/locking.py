"""What squawk lets through in migrations although it locks a large table for long, or can't be seen to: `make lint`
runs it beside squawk, as `python -m tests.architecture.locking`.

An exception is a comment at the statement, with the reason: `-- lock-ignore truncate -- it has ten rows`.
"""

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from infrastructure.migrate import MIGRATIONS

FIRST_RELEASE = 12
"""The last migration that makes what was there at the first release. Those are not looked at."""

_RULES = {
    "column-check": (
        r"^ALTER TABLE .*\bADD (?!CONSTRAINT |CHECK ).*\bCHECK …",
        "scans the table: add the column, then the constraint with NOT VALID",
    ),
    "table-rewrite": (
        r"^ALTER (TABLE|INDEX|MATERIALIZED VIEW) .*\bSET (TABLESPACE|LOGGED|UNLOGGED|ACCESS METHOD)\b",
        "writes the whole of it anew under an exclusive lock",
    ),
    "attach-partition": (r"^ALTER TABLE .*\bATTACH PARTITION\b", "scans what it attaches"),
    "cluster": (r"^CLUSTER\b", "writes the table anew under an exclusive lock"),
    "vacuum-full": (r"^VACUUM\b.*\bFULL\b", "writes the table anew under an exclusive lock"),
    "lock-table": (r"^LOCK\b", "holds the table until the whole file is done"),
    "truncate": (r"^TRUNCATE\b", "locks the table, and takes away what the running release reads"),
    "update-or-delete": (
        r"^(UPDATE|DELETE|MERGE)\b|^WITH\b.*((?<!FOR )(?<!NO KEY )(?<!DO )\bUPDATE\b|\bDELETE FROM\b|\bMERGE INTO\b)",
        "holds all rows that it changes until the whole file is done: change them in portions, by a program",
    ),
    "do-block": (r"^DO\b", "hides from this what it does"),
}
_TOKEN = re.compile(
    r"""
    (?P<comment> --[^\n]* | /\*(?:/\*.*?\*/|.)*?\*/ )
    | (?P<text> \$(?P<tag>(?:[^\W\d]\w*)?)\$.*?\$(?P=tag)\$ | E'(?:\\.|''|[^'\\])*' | '(?:''|[^'])*' )
    | (?P<name> "(?:""|[^"])*" )
    | (?P<word> [^\W\d][\w$]* )
    | (?P<other> \S )
    """,
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)


@dataclass(frozen=True)
class Statement:
    """A statement by its words, in capitals and without what texts and quoted names say; and the comments at it."""

    line: int
    words: str
    comments: str


def statements(text: str) -> Iterator[Statement]:
    """The statements of a file; what stands in quotes, between dollars or in comments doesn't end one."""
    words: list[str] = []
    comments: list[str] = []
    line = 1
    for token in _TOKEN.finditer(f"{text};"):
        if token["comment"]:
            comments.append(token[0])
        elif token[0] == ";":
            if words:
                yield Statement(line, " ".join(words), "\n".join(comments))
            words, comments = [], []
        else:
            if not words:
                line = text.count("\n", 0, token.start()) + 1
            words.append("''" if token["text"] else '""' if token["name"] else token[0].upper())


def refused(text: str) -> Iterator[tuple[int, str, str]]:
    """Line, rule and reason of each statement that isn't taken."""
    for each in statements(text):
        for rule, (pattern, why) in _RULES.items():
            excused = re.search(rf"^-- lock-ignore {rule} -- \S", each.comments, re.MULTILINE)
            if not excused and any(re.search(pattern, action) for action in _actions(each.words)):
                yield each.line, rule, why


def _actions(words: str) -> list[str]:
    """The statement; of an ALTER TABLE one for each of its actions, with … for what stands in parentheses."""
    if not words.startswith("ALTER TABLE "):
        return [words]
    bare, count = words, 1
    while count:
        bare, count = re.subn(r"\([^()]*\)", "…", bare)
    return [each if each.startswith("ALTER TABLE ") else f"ALTER TABLE {each}" for each in bare.split(" , ")]


def told(directory: Path) -> list[str]:
    """A line for each statement that isn't taken, and for each file that no linter reads."""
    lines = []
    for file in sorted(each for each in directory.rglob("*") if each.is_file() and each.suffix != ".pyc"):
        number = re.match(r"\d{4}(?=-)", file.name)
        if file.suffix != ".sql" or number is None:
            lines.append(f"{file}:1: not-linted migrations are files of SQL, named 0013-….sql")
        elif int(number[0]) > FIRST_RELEASE:
            text = file.read_text(encoding="utf-8")
            lines += [f"{file}:{line}: {rule} {why}" for line, rule, why in refused(text)]
    return lines


if __name__ == "__main__":
    sys.exit("\n".join(told(MIGRATIONS)) or 0)
