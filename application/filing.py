"""Files: their bytes and what the log says of them, so that neither is there without the other.

Bytes arrive as pending. They are on disk and counted before the event that owns them is appended, and kept after it.
Whatever is cut short between is found among the pending: it is kept where the log owns it, and removed where not.
"""

from contextlib import suppress
from typing import BinaryIO
from uuid import UUID

from application.handling import Handler, Outcome, Sender
from application.ports import BytesMissing, FileBytes, Idempotency, PendingFile, StorageLedger, SubjectKeys
from application.recording import UnknownEventType
from domain.files.commands import AttachFile, EraseFile, FileGone
from domain.files.events import Host
from domain.files.state import File
from domain.kernel import Command, NotFound, Refused


class Filing:
    """Attaches files to records, opens them, and destroys them."""

    def __init__(self, keys: SubjectKeys, handler: Handler, bytes: FileBytes, ledger: StorageLedger) -> None:
        self._keys = keys
        self._handler = handler
        self._bytes = bytes
        self._ledger = ledger

    def begin(self, sender: Sender, entity: Host, record: UUID, announced: int, limit: int | None) -> PendingFile:
        """Room for the bytes of a file that may be attached to that record, as far as one knows beforehand.

        `announced` are the bytes that come at least; `limit` those that the tenant may have, None for any
        number. Raises Forbidden, UnknownReference, ReferenceArchived or StorageFull.
        """
        unknown = AttachFile(
            name="?", entity=entity, record=record, media_type="application/octet-stream", size=1, sha256="0" * 64
        )
        self._handler.check(sender, "file", unknown)
        self._ledger.check_room(sender.tenant, announced, limit)
        return self._bytes.begin(sender.tenant)

    def attach(
        self,
        pending: PendingFile,
        limit: int | None,
        sender: Sender,
        entity: str,
        id: UUID,
        command: AttachFile,
        *,
        if_match: int | None = None,
        idempotency: Idempotency | None = None,
    ) -> Outcome:
        """Attaches pending bytes to the record. Raises a Refused; no bytes are left then.

        After any other error nobody knows whether the event was stored: the bytes stay pending until somebody looks.
        """
        try:
            self._ledger.reserve(sender.tenant, id, command.entity, command.record, command.size, limit)
            outcome = self._handler.handle(sender, entity, id, command, idempotency=idempotency)
            if outcome.id == id:
                pending.keep()
            else:  # a repeated request: the first one's bytes are there
                self._ledger.release(sender.tenant, id)
        except Refused:
            if not self._is_released(sender.tenant, id):
                pending.leave()
            raise
        except BaseException:
            pending.leave()
            raise
        return outcome

    def open(self, tenant: UUID, file: UUID) -> BinaryIO:
        """A file's bytes. Raises FileGone, or BytesMissing where the log says that they should be there."""
        try:
            return self._bytes.open(tenant, file)
        except BytesMissing:
            state = self._state(tenant, file)
            if state is not None and state.erased:
                raise FileGone("This file was erased: nothing of it is left.") from None
            raise

    def erase(
        self,
        sender: Sender,
        entity: str,
        id: UUID,
        command: Command,
        *,
        if_match: int | None = None,
        idempotency: Idempotency | None = None,
    ) -> Outcome:
        """Destroys a file: its bytes, its name's key, and its share of what the tenant has stored."""
        with self._bytes.withdrawn(sender.tenant, id):
            try:
                outcome = self._handler.handle(sender, entity, id, command, if_match=if_match, idempotency=idempotency)
            except Refused:
                self._bytes.settle(sender.tenant, id)
                raise
            self._forget(sender.tenant, id)
        return outcome

    def erase_all_of(self, sender: Sender, entity: str, record: UUID) -> int:
        """Destroys all files of a record, archived or not; how many. Whoever erases a person calls it.

        Append the event that erases the person first: an upload that is still under way is then refused.
        """
        files = self._ledger.files_of(sender.tenant, entity, record)
        for file in files:
            with suppress(NotFound):  # counted, but not attached yet: its upload is refused, or its leftover is cleared
                self.erase(sender, "file", file, EraseFile())
        return len(files)

    def clear_leftovers(self, seconds: float) -> int:
        """Looks after bytes that have been pending for so long, and whose upload isn't under way; how many."""
        cleared = 0
        for tenant, file in self._bytes.leftovers(seconds):
            with suppress(UnknownEventType):  # a newer release has written of it, whose sweep knows more
                state = self._state(tenant, file)
                if state is None or state.erased:
                    self._forget(tenant, file, named=state is not None)
                else:
                    self._bytes.settle(tenant, file)
                cleared += 1
        return cleared

    def _state(self, tenant: UUID, file: UUID) -> File | None:
        state: File | None = self._handler.present(tenant, "file", file, sealed=True).state
        return state

    def _is_released(self, tenant: UUID, file: UUID) -> bool:
        try:
            self._ledger.release(tenant, file)
        except Exception:
            return False
        return True

    def _forget(self, tenant: UUID, file: UUID, *, named: bool = True) -> None:
        """Removes what isn't in the log. The bytes go last: while they are there, a sweep does it again."""
        if named:
            self._keys.erase_key(tenant, file)
        self._ledger.release(tenant, file)
        self._bytes.remove(tenant, file)
