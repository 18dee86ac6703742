"""The table that checks end in, for people or for programs, and the exit code that says whether all is well."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infrastructure.findings import Finding

AsJson = Annotated[bool, typer.Option("--json", help="One JSON array, for programs.")]


def tell(findings: "Sequence[Finding]", *, as_json: bool) -> None:
    """Prints the table. Raises typer.Exit: with 1 when anything must be mended."""
    import msgspec

    from infrastructure.findings import as_rows, failed

    if as_json:
        print(msgspec.json.encode(as_rows(findings)).decode())
    else:
        _print(findings)
    raise typer.Exit(1 if failed(findings) else 0)


def _print(findings: "Sequence[Finding]") -> None:
    print(f"{'CHECK':<24} {'RESULT':<8} FOUND → WHAT TO DO")
    for each in findings:
        print(f"{each.check:<24} {each.result:<8} {each.found}{f' → {each.todo}' if each.todo else ''}")
