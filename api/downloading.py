"""A file as it is sent: in pieces, read by a thread when the client takes them, and compared with its checksum.

The last piece is held back until the checksum is known: of a file that was damaged on disk no client gets all bytes
that were announced, so it can't take it for whole.
"""

import asyncio
import base64
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from functools import partial
from hashlib import sha256
from typing import Any

from litestar.response import Response
from litestar.response.base import ASGIResponse
from litestar.types import Receive, Send

from api.operations import Download
from api.services import Services
from api.shielding import JSON_POLICY
from api.uploading import in_thread
from infrastructure.file_names import content_disposition

_PIECE = 1 << 18


class DamagedFile(Exception):
    """A file's bytes are others than those that were stored."""


def headers_of(name: str, media_type: str, sha256: str) -> Mapping[str, str]:
    """What is told of a file: it is kept, never shown, and whoever shows it nevertheless runs nothing of it."""
    return {
        "Content-Type": media_type,
        "Content-Disposition": content_disposition(name, media_type),
        "Content-Security-Policy": f"{JSON_POLICY}; sandbox",
        "ETag": f'"{sha256}"',
        "Repr-Digest": f"sha-256=:{base64.b64encode(bytes.fromhex(sha256)).decode()}:",
    }


class FileResponse(Response[bytes]):
    """An answer that is a file."""

    def __init__(self, services: Services, download: Download, headers: Mapping[str, str]) -> None:
        super().__init__(b"", status_code=200, headers=headers)
        self._services = services
        self._download = download

    def to_asgi_response(self, *_: Any, **others: Any) -> ASGIResponse:
        """What sends it."""
        return _Sending(
            self._services,
            self._download,
            # The type stands among the headers, or Litestar says of texts in which alphabet they are.
            headers={**self.headers, "content-length": str(self._download.size)},
            status_code=200,
        )


class _Sending(ASGIResponse):
    _should_set_content_length = False

    def __init__(self, services: Services, download: Download, **others: Any) -> None:
        super().__init__(**others)
        self._services = services
        self._download = download

    async def send_body(self, send: Send, receive: Receive) -> None:
        """Sends the pieces, until the client has gone or takes none for too long."""
        gone = asyncio.ensure_future(_gone(receive))
        try:
            async for piece in self._pieces():
                if gone.done():
                    return
                async with asyncio.timeout(self._services.settings.request_body_seconds):
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            gone.cancel()
            with suppress(asyncio.CancelledError):
                await gone
            await in_thread(self._services, self._download.file.close)

    async def _pieces(self) -> AsyncIterator[bytes]:
        """The file's bytes. Raises DamagedFile instead of the last piece where they aren't those that were stored."""
        digest, held = sha256(), b""
        while piece := await in_thread(self._services, partial(_read, self._download, digest)):
            if held:
                yield held
            held = piece
        if digest.hexdigest() != self._download.sha256:
            raise DamagedFile("a file's bytes on disk are not those that were stored")
        yield held


def _read(download: Download, digest: Any) -> bytes:
    piece = download.file.read(_PIECE)
    digest.update(piece)
    return piece


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
