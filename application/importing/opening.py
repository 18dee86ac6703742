"""A map and the file that it is for, opened together, so that all that is wrong with the map is said at once."""

from pathlib import Path

from application.importing.kinds import Kind
from application.importing.mapping import ImportMap, drafted_map, is_delimiter
from application.importing.planning import misfits
from application.importing.problems import FileUnreadable, MapRefused
from application.importing.reading import CsvFile


def opened(kind: Kind, map: bytes, path: Path) -> tuple[ImportMap, CsvFile]:
    """The map and the file, which is the caller's to close. Raises MapRefused or FileUnreadable."""
    draft, faults = drafted_map(map)
    file = None
    try:
        if is_delimiter(draft.delimiter):
            file = CsvFile(path, draft.delimiter)
    except FileUnreadable:
        if not faults:
            raise
    faults += misfits(kind, draft, file.header if file else None)
    if file is not None and not faults:
        return draft, file
    if file is not None:
        file.close()
    raise MapRefused("\n".join(faults))
