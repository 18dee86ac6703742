"""Options that several commands share."""

import os
from pathlib import Path
from typing import Annotated

import typer

DATA_DIR_VARIABLE = "CLIENTFORGE_DATA_DIR"

DataDir = Annotated[
    Path | None,
    typer.Option(
        "--data-dir",
        metavar="DIR",
        envvar=DATA_DIR_VARIABLE,
        show_default=False,
        help="Work on the system that `clientforge up` keeps in DIR.",
    ),
]
OneTenant = Annotated[
    str | None,
    typer.Option(
        "--tenant", metavar="T", show_default=False, help="A tenant's subdomain or id; DEFAULT_TENANT unless given."
    ),
]
AllOrOneTenant = Annotated[
    str | None,
    typer.Option("--tenant", metavar="T", show_default=False, help="Only this tenant: a subdomain or an id."),
]


def remember_data_dir(data_dir: Path | None) -> None:
    """Makes a `--data-dir` in front of the command count for the command."""
    if data_dir is not None:
        os.environ[DATA_DIR_VARIABLE] = str(data_dir)
