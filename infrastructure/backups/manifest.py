"""What a backup says of itself, so that it can be listed without a key, and checked without a database.

The manifest is not secret: it holds numbers, ids of tenants and hashes. It is signed by a key that is made of
MASTER_KEY, because whoever may write where backups are kept could otherwise seal another one for the same recipients.
"""

import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Literal
from uuid import UUID

import msgspec
from msgspec import Struct

from infrastructure.backups.flaws import BackupBroken
from infrastructure.backups.sealing import Written

MANIFEST = "manifest.json"
FORMAT = 1
FILES = "files"
"""The part with files' bytes, as a tar archive; all others are tables."""


Kind = Literal["data", "keys"]


class Part(Struct, frozen=True, kw_only=True):
    """A table or the files: how many rows or files it holds, which columns, and the file that it was written to."""

    name: str
    rows: int
    written: Written
    columns: Sequence[str] = ()

    @property
    def file(self) -> str:
        """The name of its file."""
        return f"{self.name}.{'tar' if self.name == FILES else 'copy'}.gz.age"


class Head(Struct, frozen=True, kw_only=True):
    """Where a tenant's log ended: its position, and the last link of its chain in hexadecimal digits."""

    position: int
    link: str


class Manifest(Struct, frozen=True, kw_only=True):
    """A whole backup. `taken_at` is the moment that it shows; `read_models` holds the numbers of rows of those read
    models (tenant → table → rows) that had caught up with the log then; `subjects` is the file that lists whose keys
    it needs or holds; `gone` are the files (tenant, id) that were counted at that moment, and removed while it was
    made."""

    format: int = FORMAT
    kind: Kind
    release: str
    taken_at: datetime
    migrations: Sequence[str]
    parts: Sequence[Part]
    subjects: Written | None = None
    heads: Mapping[UUID, Head] = {}
    read_models: Mapping[UUID, Mapping[str, int]] = {}
    gone: Sequence[tuple[UUID, UUID]] = ()

    @property
    def events(self) -> int:
        """How many events the logs hold."""
        return sum(head.position for head in self.heads.values())

    @property
    def bytes(self) -> int:
        """How long all files are."""
        return sum(part.written.bytes for part in self.parts)

    @property
    def files(self) -> int | None:
        """How many files' bytes it holds; None where it was made without them."""
        return next((part.rows for part in self.parts if part.name == FILES), None)


class _Signed(Struct, frozen=True, kw_only=True):
    manifest: msgspec.Raw
    mac: str


class Signer:
    """Signs manifests by HMAC-SHA-256 (RFC 2104) under a key that is made of the master key."""

    def __init__(self, master_key: bytes) -> None:
        self._key = hmac.digest(master_key, b"clientforge: manifests of backups", sha256)

    def text(self, manifest: Manifest) -> bytes:
        """The file of a manifest."""
        body = msgspec.json.encode(manifest)
        return msgspec.json.encode(_Signed(manifest=msgspec.Raw(body), mac=self._mac(body)))

    def read(self, directory: Path) -> Manifest:
        """The manifest in a directory. Raises BackupBroken for one that is not, byte by byte, what was written."""
        try:
            signed = msgspec.json.decode((directory / MANIFEST).read_bytes(), type=_Signed)
        except (OSError, msgspec.DecodeError) as error:
            raise BackupBroken(f"{MANIFEST}: it can't be read ({type(error).__name__})") from None
        if not hmac.compare_digest(self._mac(bytes(signed.manifest)), signed.mac):
            raise BackupBroken(f"{MANIFEST}: it is altered, or was written under another MASTER_KEY")
        manifest = msgspec.json.decode(signed.manifest, type=Manifest)
        if manifest.format != FORMAT:
            raise BackupBroken(f"{MANIFEST}: it has format {manifest.format}, which this release doesn't know")
        return manifest

    def _mac(self, body: bytes) -> str:
        return hmac.digest(self._key, body, sha256).hex()
