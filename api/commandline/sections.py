"""Help by sections: what a command is for decides where it stands. Plain text, for `--help` is asked for in a hurry."""

from typing import Any

from typer.core import TyperGroup

ONE_MACHINE = "Everything on one machine"
SET_UP = "Set up"
DATA = "Data"
LOOK_AFTER = "Look after"
PROCESSES = "The processes of a system, each on its own"
_COMMANDS = "Commands"

_ORDER = (ONE_MACHINE, SET_UP, DATA, LOOK_AFTER, PROCESSES, _COMMANDS)


class Sections(TyperGroup):
    """A group whose commands are listed under the headings that they were registered with."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Writes one list per heading."""
        sections: dict[str, list[tuple[str, Any]]] = {}
        for name in self.list_commands(ctx):
            command = self.get_command(ctx, name)
            if command is not None and not command.hidden:
                heading = getattr(command, "rich_help_panel", None) or _COMMANDS
                sections.setdefault(heading, []).append((name, command))
        width = max(len(name) for commands in sections.values() for name, _ in commands)
        for heading, commands in sorted(sections.items(), key=lambda each: _ORDER.index(each[0])):
            with formatter.section(heading):
                room = formatter.width - 6 - width
                formatter.write_dl([(name.ljust(width), each.get_short_help_str(room)) for name, each in commands])
