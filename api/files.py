"""Files over HTTP: attached to records of any kind, kept as they came, and sent as attachments."""

from functools import partial
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct

from api.commands import carried_out, change
from api.downloading import headers_of
from api.operations import Call, Download, Operation, Reply
from api.records import Records
from api.refusals import FileTooLarge, FileTypeNotAllowed, MalformedUpload
from application.handling import IdempotencyKeyReused, Outcome, TooManyConflicts
from application.ports import BytesMissing, PendingFile, StorageFull
from domain.files.commands import ArchiveFile, AttachFile, EditFile, EraseFile, FileGone, RestoreFile, check_name
from domain.files.events import Host
from domain.kernel import Invalid, NotFound, ReferenceArchived, UnknownReference
from infrastructure.content_types import content_type, refined
from projections.files.directory import FILES, READ, FileRow

_GB = 10**9


class Attachment(Struct, frozen=True, kw_only=True):
    """What a file is attached to: the kind and the id of a record."""

    entity: Host
    record: UUID


RECORDS = Records(
    path="files",
    entity="file",
    directory=FILES,
    row=FileRow,
    create=AttachFile,
    edit=EditFile,
    archive=ArchiveFile,
    restore=RestoreFile,
    example={},
    edit_example={"name": "offer.pdf"},
    refuses=(FileGone,),
    archive_refuses=(FileGone,),
    restore_refuses=(FileGone,),
    reads=READ,
)


def _begun(call: Call[None, Attachment]) -> PendingFile:
    """Room for the file, where one may be attached. Raises a Refused."""
    return call.services.filing.begin(
        call.sender, call.query.entity, call.query.record, call.received.announced, _limit(call)
    )


def _attached(call: Call[None, Attachment]) -> Reply:
    """Attaches what has arrived, when it is what it may be. Raises a Refused."""
    upload = call.received.upload
    if upload is None:
        raise MalformedUpload("There is no file.")
    pending, allowed = upload.pending, call.services.settings.file_types
    check_name(upload.name, "/file")
    if not pending.size:
        raise Invalid("The file is empty.", field="/file")
    with pending.reading() as file:
        kind = refined(content_type(file), upload.name)
    if kind not in allowed:
        raise FileTypeNotAllowed(f"This is {kind}; allowed are {', '.join(allowed)}.", found=kind, allowed=allowed)
    told = {"name": upload.name, "media_type": kind, "size": pending.size, "sha256": pending.finish()}
    where = {"entity": call.query.entity, "record": call.query.record}
    handle = partial(call.services.filing.attach, pending, _limit(call))
    command = _command({**told, **where})
    return carried_out(call, "file", command, creates=True, new=pending.id, handle=handle)


def _command(told: dict[str, Any]) -> AttachFile:
    try:
        return msgspec.convert(told, AttachFile)
    except msgspec.ValidationError:
        raise Invalid("A file's name has 1 to 255 characters, not all of them blanks.", field="/file") from None


def _limit(call: Call[Any, Any]) -> int | None:
    """The bytes that the tenant may have stored."""
    quota = call.services.profiles.of(call.principal.tenant).storage_gb
    return None if quota is None else quota * _GB


def _content(call: Call[None, Any]) -> Reply:
    """A file's bytes. Raises NotFound or FileGone."""
    services, record = call.services, call.received.record
    row = FILES.get(services.database, call.viewer, record)
    if row.erased or row.name is None:
        raise FileGone("This file was erased: nothing of it is left.")
    file = services.filing.open(call.principal.tenant, record)
    if file.seek(0, 2) != row.size:
        file.close()
        raise BytesMissing(f"file {record} has not as many bytes as were stored")
    file.seek(0)
    return Reply(
        file=Download(file=file, size=row.size, sha256=row.sha256),
        headers=headers_of(row.name, row.media_type, row.sha256),
    )


UPLOAD = Operation(
    method="POST",
    path="/files",
    name="upload-file",
    summary="Attach a file to a record: a form with one field, `file`.",
    tag="files",
    opens=_begun,
    run=_attached,
    query=Attachment,
    answer=Outcome,
    status=201,
    permission=AttachFile.PERMISSION,
    limit="upload",
    commands=True,
    creates=True,
    refuses=(
        *(MalformedUpload, FileTooLarge, FileTypeNotAllowed, StorageFull, Invalid),
        *(UnknownReference, ReferenceArchived, NotFound, TooManyConflicts, IdempotencyKeyReused),
    ),
)

DOWNLOAD = Operation(
    method="GET",
    path="/files/{id:uuid}/content",
    name="download-file",
    summary="A file's bytes, as an attachment. `ETag` and `Repr-Digest` are their SHA-256.",
    tag="files",
    run=_content,
    answer=None,
    sends_file=True,
    permission="file:read",
    waits=READ,
    refuses=(NotFound, FileGone),
)

ERASE = change("POST", "files", "file", EraseFile, verb="erase", handle=lambda call: call.services.filing.erase)

OPERATIONS: list[Operation] = [UPLOAD, *RECORDS.operations()[1:], DOWNLOAD, ERASE]
