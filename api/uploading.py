"""A file as it arrives in a form: in pieces that never add up in memory, and that hold no thread while they are due."""

import asyncio
import re
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from litestar import Request
from multipart import MultipartError, MultipartSegment, PushMultipartParser, parse_options_header

from api.operations import Upload
from api.refusals import Fault, FileTooLarge, InvalidRequest, MalformedUpload, TooSlow, UnsupportedMediaType
from api.services import Services
from application.ports import PendingFile

T = TypeVar("T")

_FORM = "multipart/form-data"
_PIECE = 1 << 18
"""Bytes that are collected before a thread writes them."""
_AROUND = 1 << 16
"""Bytes that a form may have beside its file."""
_FOLDERS = re.compile(r".*[/\\]", re.DOTALL)


def announced(request: Request[Any, Any, Any], largest: int) -> int:
    """How many bytes a file has at least that is to come, as far as the request says. Raises FileTooLarge."""
    told = request.headers.get("content-length", "0")
    length = int(told) if told.isascii() and told.isdecimal() else 0
    if length > largest + _AROUND:
        raise _too_large(largest)
    return max(0, length - _AROUND)


def boundary(request: Request[Any, Any, Any]) -> str:
    """What separates the parts of the form. Raises UnsupportedMediaType for another body."""
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    if kind != _FORM or not options.get("boundary"):
        raise UnsupportedMediaType(f"Send the file as {_FORM}, in a field named 'file'.")
    return str(options["boundary"])


class Arrival:
    """One upload under way."""

    def __init__(self, services: Services, request: Request[Any, Any, Any], pending: PendingFile) -> None:
        self._services = services
        self._request = request
        self._pending = pending
        self._largest = services.settings.largest_file_bytes
        self._name: str | None = None
        self._collected: list[bytes] = []
        self._waiting = 0

    async def upload(self) -> Upload:
        """The file, all of it on disk. Raises MalformedUpload, InvalidRequest, FileTooLarge or TooSlow."""
        # Not strict: what stands around the form's parts means nothing (RFC 2046, 5.1.1), in whichever piece it comes.
        parser = PushMultipartParser(boundary(self._request))
        try:
            async for chunk in _Body(self._services, self._request):
                for event in parser.parse(chunk):
                    self._take(event)
                if self._waiting >= _PIECE:
                    await self._write()
            parser.close()
        except MultipartError as error:
            raise MalformedUpload(f"The form can't be read: {error}.") from None
        if self._name is None:
            raise InvalidRequest([Fault("/file", "This field is required.")])
        await self._write()
        return Upload(pending=self._pending, name=self._name)

    def _take(self, event: MultipartSegment | bytes | bytearray | None) -> None:
        if isinstance(event, MultipartSegment):
            if event.name != "file" or self._name is not None:
                raise InvalidRequest([Fault(f"/{event.name}", "There is one field, once: file.")])
            if not event.filename:
                raise InvalidRequest([Fault("/file", "Send a file, with its name.")])
            # Some clients send the folder, too.
            self._name = _FOLDERS.sub("", event.filename)
        elif event:
            self._collected.append(bytes(event))
            self._waiting += len(event)
            if self._pending.size + self._waiting > self._largest:
                raise _too_large(self._largest)

    async def _write(self) -> None:
        piece, self._collected, self._waiting = b"".join(self._collected), [], 0
        await in_thread(self._services, partial(self._pending.write, piece))


class _Body:
    """The bytes of a request as they come, while they come fast enough."""

    def __init__(self, services: Services, request: Request[Any, Any, Any]) -> None:
        self._settings = services.settings
        self._receive = request.receive
        self._received = 0
        self._started = asyncio.get_running_loop().time()
        self._more = True

    def __aiter__(self) -> "_Body":
        return self

    async def __anext__(self) -> bytes:
        while self._more:
            try:
                async with asyncio.timeout_at(self._due):
                    message: Any = await self._receive()
            except TimeoutError:
                raise TooSlow("The file arrives too slowly.") from None
            if message["type"] != "http.request":
                raise MalformedUpload("The request ended before its body did.")
            self._more = message.get("more_body", False)
            if chunk := message.get("body", b""):
                self._received += len(chunk)
                if self._received > self._settings.largest_file_bytes + _AROUND:
                    raise _too_large(self._settings.largest_file_bytes)
                return bytes(chunk)
        raise StopAsyncIteration

    @property
    def _due(self) -> float:
        """When the next bytes must be there: sooner or later, by how many have come."""
        patience = self._settings.request_body_seconds + self._received / self._settings.slowest_upload
        return self._started + patience


async def in_thread(services: Services, work: Callable[[], T]) -> T:
    """Reads or writes a file. It goes on to its end, whether the request does or not."""
    return await asyncio.shield(asyncio.get_running_loop().run_in_executor(services.file_threads, work))


def _too_large(largest: int) -> FileTooLarge:
    return FileTooLarge(f"A file has at most {largest} bytes.", largest=largest)
