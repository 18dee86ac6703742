"""Commands as documents write them, held against the program."""

import re
from collections.abc import Iterator
from typing import Any

import typer

from api.commandline.program import app

_CALL = re.compile(r"(?:^|(?<=[\s/(`]))clientforge ([^|;&>#)]*(?:\|(?! )[^|;&>#)]*)*)")
_NAME = re.compile(r"[a-z][a-z-]*")
_CHOICE = re.compile(r"[a-z-]+(?:\|[a-z-]+)+")


def calls(line: str) -> list[list[str]]:
    """The words behind each `clientforge` of a line of code, up to where the shell begins something else."""
    return [call.split() for call in _CALL.findall(line)]


def wrong(words: list[str]) -> list[str]:
    """What of a call the program doesn't have: a command, or an option of one."""
    return list(_wrong(typer.main.get_command(app), words))


def _wrong(command: Any, words: list[str]) -> Iterator[str]:
    known = {option for param in command.params for option in (*param.opts, *param.secondary_opts)}
    known |= {"--help", "-h"}
    if hasattr(command, "commands"):
        yield from _wrong_in_group(command, known, words)
        return
    for word in words:
        option = re.match(r"[\[(]*(--?[a-z][a-z-]*)", word)
        if option and option[1] not in known:
            yield f"{command.name} {option[1]}"


def _wrong_in_group(command: Any, known: set[str], words: list[str]) -> Iterator[str]:
    rest = iter(words)
    for word in rest:
        if word.startswith("-"):
            if word not in known:
                yield f"{command.name} {word}"
            if word == "--data-dir":
                next(rest, None)
        elif _CHOICE.fullmatch(word):
            for each in word.split("|"):
                if each not in command.commands:
                    yield f"{command.name} {each}"
            return
        elif _NAME.fullmatch(word):
            found = command.commands.get(word)
            if found is None:
                yield f"{command.name or 'clientforge'} {word}"
            else:
                yield from _wrong(found, list(rest))
            return
        else:  # COMMAND, …, {users,accounts}
            return
