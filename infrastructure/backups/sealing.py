"""One part of a backup as a file: gzip inside age (age-encryption.org/v1), streamed, in constant memory.

Each is opened by standard tools, too: `age -d -i KEY part.gz.age | gunzip`. age works on files, and so do those who
write and read here; a pipe between two threads joins them.
"""

import io
import os
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from gzip import BadGzipFile, GzipFile
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO, TypeAlias, cast

import pyrage
from msgspec import Struct

from infrastructure.backups.flaws import BackupBroken, BackupRefused

Recipient: TypeAlias = pyrage.x25519.Recipient
Identity: TypeAlias = pyrage.x25519.Identity

_QUICK = 3
"""gzip's level: sealed payloads and hashes don't get smaller, whatever it costs."""
_CHUNK = 256 * 1024


class Written(Struct, frozen=True, kw_only=True):
    """A file as it was written: its length in bytes and its SHA-256 in hexadecimal digits."""

    bytes: int
    sha256: str


def recipients(texts: Sequence[str]) -> list[Recipient]:
    """Public keys, from `age1…`. Raises BackupRefused for none or a wrong one."""
    if not texts:
        raise BackupRefused(
            "BACKUP_RECIPIENTS names nobody who could open a backup. `clientforge backup keygen FILE` makes a key."
        )
    try:
        return [Recipient.from_str(text) for text in texts]
    except pyrage.RecipientError as error:
        raise BackupRefused(f"BACKUP_RECIPIENTS must be public keys such as age1…, between commas: {error}") from None


def identities(text: str | None) -> list[Identity]:
    """Private keys, from the text of a file that age-keygen or `backup keygen` made. Raises BackupRefused."""
    lines = [line.strip() for line in (text or "").splitlines()]
    found = [line for line in lines if line and not line.startswith("#")]
    if not found:
        raise BackupRefused("BACKUP_IDENTITY_FILE must name the file with the private key that opens backups.")
    try:
        return [Identity.from_str(line) for line in found]
    except pyrage.IdentityError:
        raise BackupRefused("BACKUP_IDENTITY must be a private key: AGE-SECRET-KEY-1…") from None


class Sealing:
    """What `sealed` yields: a file to write to; after the end, `written` says what came of it."""

    written: Written

    def __init__(self, file: GzipFile) -> None:
        self._file = file
        self._waiting = bytearray()

    def write(self, data: bytes) -> int:
        """Adds bytes; rows are short, so some are gathered first."""
        self._waiting += data
        if len(self._waiting) >= _CHUNK:
            self.flush()
        return len(data)

    def flush(self) -> None:
        """Passes on what was gathered."""
        self._file.write(self._waiting)
        self._waiting.clear()


@contextmanager
def sealed(path: Path, readers: Sequence[Recipient]) -> Iterator[Sealing]:
    """Writes a new part (mode 600), which is on disk at the end. Raises OSError, such as for a full disk."""
    reading, writing = os.pipe()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as target, ThreadPoolExecutor(1) as pool:
        tap = _Tap(target)
        done = pool.submit(_encrypt, reading, tap, readers)
        with _blaming(done):
            with os.fdopen(writing, "wb") as pipe, GzipFile("", "wb", _QUICK, pipe, mtime=0) as gzip:
                made = Sealing(gzip)
                yield made
                made.flush()
            done.result()
        target.flush()
        os.fsync(target.fileno())
        made.written = Written(bytes=tap.bytes, sha256=tap.hash.hexdigest())


@contextmanager
def opened(path: Path, expected: Written, readers: Sequence[Identity]) -> Iterator[BinaryIO]:
    """Reads a part. Raises BackupBroken for one that isn't, to its end, what was written, or that no key opens."""
    reading, writing = os.pipe()
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(_decrypt, path, writing, readers)
        try:
            with _blaming(done):
                with os.fdopen(reading, "rb") as pipe, GzipFile(fileobj=pipe, mode="rb") as gzip:
                    file = io.BufferedReader(cast(io.RawIOBase, gzip), _CHUNK)
                    yield cast(BinaryIO, file)
                    if file.read(1):
                        raise BackupBroken("it holds more than belongs into it")
                found = done.result()
        except (EOFError, BadGzipFile, zlib.error):
            raise BackupBroken(f"{path.name}: it is altered or cut off") from None
        except BackupBroken as broken:
            raise BackupBroken(f"{path.name}: {broken}") from broken.__cause__
    if found != expected:
        raise BackupBroken(f"{path.name}: it is not the file that was written: its SHA-256 is another")


@contextmanager
def _blaming(done: "Future[Written] | Future[None]") -> Iterator[None]:
    """Where the other thread failed, that is why this one failed, too."""
    try:
        yield
    except BaseException as error:
        theirs = done.exception(timeout=60)
        if isinstance(error, Exception) and theirs is not None and not isinstance(theirs, BrokenPipeError):
            raise theirs from error
        raise


def _encrypt(reading: int, target: "_Tap", readers: Sequence[Recipient]) -> None:
    with os.fdopen(reading, "rb", buffering=_CHUNK) as pipe:
        try:
            pyrage.encrypt_io(pipe, target, readers)
        except pyrage.EncryptError as error:
            raise target.failure or error from None


def _decrypt(path: Path, writing: int, readers: Sequence[Identity]) -> Written:
    with os.fdopen(writing, "wb") as pipe, _opened(path) as source:
        tap, to = _Tap(source), _Tap(pipe)
        try:
            pyrage.decrypt_io(tap, to, readers)
        except (pyrage.DecryptError, OSError) as error:
            if failure := to.failure or tap.failure:
                raise failure from None
            raise BackupBroken(_why(error)) from None
        while tap.read(_CHUNK):
            pass
        pipe.flush()
        return Written(bytes=tap.bytes, sha256=tap.hash.hexdigest())


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except FileNotFoundError:
        raise BackupBroken("it is missing") from None


def _why(error: Exception) -> str:
    if "No matching keys" in str(error):
        return "the key of BACKUP_IDENTITY doesn't open it: it was sealed for others"
    return f"it is altered or cut off ({error})"


class _Tap:
    """A file whose bytes are counted and hashed on their way. age swallows the errors of files, so they are kept."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.bytes = 0
        self.hash = sha256()
        self.failure: OSError | None = None

    def read(self, size: int = -1) -> bytes:
        with self._watching():
            return self._noted(self._file.read(size))

    def write(self, data: bytes) -> int:
        with self._watching():
            self._file.write(data)
        return len(self._noted(data))

    def flush(self) -> None:
        with self._watching():
            self._file.flush()

    def _noted(self, data: bytes) -> bytes:
        self.bytes += len(data)
        self.hash.update(data)
        return data

    @contextmanager
    def _watching(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self.failure = error
            raise
