"""Commands as documents write them, held against the program."""

import re
import shlex
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import typer

from api.commandline.program import app

_CALL = re.compile(r"(?:^|(?<=[\s/(`]))clientforge ([^|;&>#)]*(?:\|(?![ |])[^|;&>#)]*)*)")
_NAME = re.compile(r"[a-z][a-z-]*")
_CHOICE = re.compile(r"[a-z-]+(?:\|[a-z-]+)+")


def calls(line: str) -> list[list[str]]:
    """The words behind each `clientforge` of a line of code, up to where the shell begins something else."""
    return [_words(call) for call in _CALL.findall(line)]


def _words(call: str) -> list[str]:
    call = re.sub(r"\s\d$|…", "", call.partition(" <")[0])  # 2>file, <file
    try:
        return shlex.split(call)
    except ValueError:  # a quotation that goes on behind what ends a call
        return call.split()


def wrong(words: list[str]) -> list[str]:
    """What of a call the program doesn't have: a command, an option of one, or what is said with it."""
    return list(_wrong(typer.main.get_command(app), words))


def _wrong(command: Any, words: list[str]) -> Iterator[str]:
    known = {option for param in command.params for option in (*param.opts, *param.secondary_opts)}
    known |= {"--help", "-h"}
    if hasattr(command, "commands"):
        yield from _wrong_in_group(command, known, words)
        return
    words = [word.strip("[]()") for word in words]
    unknown = [word for word in words if word.startswith("-") and len(word) > 1 and word.split("=")[0] not in known]
    if unknown:
        yield from (f"{command.name} {option}" for option in unknown)
        return
    yield from (f"{command.name} {word}" for word in _surplus(command, words))
    for option, values in pairwise(words):
        if option in known:
            yield from (
                f"{command.name} {option} {value}"
                for value in values.split("|")
                if not value.isupper() and "is not one of" in _refused(command, [option, value])
            )


def _surplus(command: Any, words: Sequence[str]) -> list[str]:
    """The words that the program's own parser has no use for."""
    context = command.make_context(command.name, list(words), resilient_parsing=True)
    return list(context.args)


def _refused(command: Any, words: Sequence[str]) -> str:
    """What the program says against these words, or nothing."""
    try:
        command.make_context(command.name, list(words))
    except Exception as error:  # of its parser, which names what it first stumbles over
        return str(getattr(error, "message", ""))
    return ""


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
