"""Files, to get and to list: seen as the records that they hang on are, and archived with them."""

from uuid import UUID

from msgspec import Struct

from domain.files.events import Host
from projections.changes import Story
from projections.directories import Column, Directory, Record, personal_fields, row_of, sort_key
from projections.ownership import is_archived, stands_by_itself

_ARCHIVED = f"(files.archived OR {is_archived('files.entity', 'files.record')})"


class FileRow(Record, frozen=True, kw_only=True):
    """A file as it is read. `archived` says that it is, or the record that it hangs on; an `erased` one has no name.

    `media_type` is what its bytes are, `size` how many, `sha256` their digest in hexadecimal.
    """

    name: str | None = None
    entity: Host
    record: UUID
    media_type: str
    size: int
    sha256: str
    erased: bool = False


class FileFilter(Struct, frozen=True, kw_only=True):
    """Which files to list; None matches all."""

    entity: Host | None = None
    record: UUID | None = None
    media_type: str | None = None
    archived: bool | None = False


def file_row(story: Story) -> FileRow:
    """A file's row, with its name in the clear."""
    return row_of(story, FileRow, **personal_fields(story.state.personal))


FILES = Directory(
    name="files",
    entity="file",
    row=FileRow,
    filters=FileFilter,
    fold=file_row,
    columns={
        "name_key": Column("text", lambda row: sort_key(row.name)),
        "entity": Column("text"),
        "record": Column("uuid"),
        "media_type": Column("text"),
        "size": Column("bigint"),
    },
    conditions={
        "entity": "entity = %(entity)s",
        "record": "record = %(record)s",
        "media_type": "media_type = %(media_type)s",
        "archived": f"{_ARCHIVED} = %(archived)s",
    },
    sorts={"name": "name_key", "created_at": "created_at", "updated_at": "updated_at", "size": "size"},
    order="-created_at",
    seen=stands_by_itself("files.entity", "files.record"),
    told=f"document || jsonb_build_object('archived', {_ARCHIVED})",
)

READ = ("files", "accounts", "contacts", "deals", "products", "pipelines", "users")
"""The projections that these queries depend on."""
