"""`clientforge security`: looks for what is insecure in the sources, in what they depend on, and in what runs."""

from typing import TYPE_CHECKING, Annotated

import typer

from api.commandline.options import DataDir
from api.commandline.telling import AsJson, tell

if TYPE_CHECKING:
    from pathlib import Path

    from infrastructure.findings import Finding


def scan_command(
    tree: Annotated[
        bool, typer.Option("--tree", help="Only what is in the tree: code, dependencies, secrets. It needs no system.")
    ] = False,
    url: Annotated[
        str | None,
        typer.Option(
            metavar="U", show_default=False, help="The server whose headers are looked at; else HOST and PORT."
        ),
    ] = None,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Look for insecure code, vulnerable dependencies, secrets in the tree, weak settings, headers that are missing
    on the running server, and gaps in row-level security. Exit code 1 when anything must be mended.

    What can't be looked at is told as skipped, with the reason.
    """
    from infrastructure import security_scan as scan

    findings = [*scan.insecure_code(), *scan.vulnerable_dependencies(), *scan.secrets_in_the_tree()]
    if not tree:
        findings += _of_the_system(url, data_dir)
    tell(findings, as_json=as_json)


def _of_the_system(url: str | None, data_dir: "Path | None") -> list["Finding"]:
    from api.commandline.context import settings
    from infrastructure import security_scan as scan
    from infrastructure.schema_scan import row_level_security

    found = settings(data_dir)
    return [
        *scan.settings_of(found),
        *scan.headers_of(url or f"http://{found.host}:{found.port}"),
        *row_level_security(found.database_url.get_secret_value()),
    ]
