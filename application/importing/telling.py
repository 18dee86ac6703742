"""The report of an import as a file, and as lines for people."""

from collections.abc import Iterator
from pathlib import Path

import msgspec

from application.importing.report import Report


def write_report(report: Report, path: Path) -> None:
    """Writes the report: JSON where the file is named so, text elsewhere."""
    with path.open("w", encoding="utf-8") as file:
        if path.suffix.lower() == ".json":
            head = msgspec.json.format(msgspec.json.encode(report.summary()), indent=2).decode()
            file.write(head.rstrip().removesuffix("}").rstrip() + ',\n  "details": [')
            for number, detail in enumerate(report.details()):
                file.write(("," if number else "") + "\n    " + msgspec.json.encode(detail).decode())
            file.write("\n  ]\n}\n")
        else:
            file.writelines(f"{line}\n" for line in told(report))


def told(report: Report, *, rows: bool = True) -> Iterator[str]:
    """The report as lines for people, with what was said of single `rows` or without."""
    summary = report.summary()
    dry = " (dry run: nothing was written)" if summary["dry_run"] else ""
    yield f"{summary['file']}: {summary['records']} of tenant {summary['tenant']}{dry}"
    counts = ("read", "created", "changed", "unchanged", "rejected", "noted")
    yield ", ".join(f"{summary[name]:,} {name}" for name in counts if name != "noted" or summary[name])
    for entity, count in summary["made_on_the_way"].items():
        yield f"made on the way: {count:,} of kind {entity}"
    for reason, count in summary["reasons"].items():
        yield f"rejected for {reason}: {count:,}"
    if summary["rejected_rows"]:
        yield f"rejected rows: {summary['rejected_rows']}"
    for detail in report.details() if rows else ():
        column = f", column {detail['column']}" if "column" in detail else ""
        noted = " (noted)" if detail["code"] == "noted" else ""
        yield f"row {detail['row']}{column}{noted}: {detail['reason']}"
