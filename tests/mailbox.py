"""A real SMTP server, and the mail that it was given."""

import asyncio
import logging
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, Session

from infrastructure.embedded import free_port

FROM = "ClientForge <crm@example.com>"
_LINK = re.compile(r"(?P<link>\S+)#token=(?P<token>cfl_[\w-]+)")


# The server would log what it is told, tokens and all, where a test has everything logged: it is none of the product.
logging.getLogger("mail").setLevel(logging.CRITICAL)


class Mailbox:
    """The mail of all addresses. `refusal` is what it says to recipients instead of taking their mail, `seconds` how
    long it takes over each, and `begun` how many it has begun with."""

    def __init__(self, port: int = 0, **options: Any) -> None:
        self.port = port or free_port()
        self.mails: list[EmailMessage] = []
        self.refusal = ""
        self.begun = 0
        self.seconds = 0.0
        self.secured: list[bool] = []
        self.logins: list[tuple[bytes, bytes]] = []
        self._options = options
        self._server: Controller | None = None

    @property
    def tokens(self) -> set[str]:
        """The secrets that went out by mail."""
        return {token_in(each) for each in self.mails}

    def to(self, address: str, count: int = 1, seconds: float = 8) -> list[EmailMessage]:
        """The mails to an address, when there are so many."""
        deadline = time.monotonic() + seconds
        while True:
            found = [each for each in list(self.mails) if address.casefold() in str(each["To"]).casefold()]
            if len(found) >= count:
                return found
            assert time.monotonic() < deadline, f"{len(found)} mails to {address}, not {count}"
            time.sleep(0.02)

    def token_to(self, address: str, count: int = 1) -> str:
        """The token in the last mail to an address, when there are so many."""
        return token_in(self.to(address, count)[-1])

    def start(self) -> None:
        """Takes mail from now on."""
        self._server = Controller(self, hostname="127.0.0.1", port=self.port, **self._options)
        self._server.start()

    def start_with(self, **options: Any) -> None:
        """Takes mail from now on, on these terms; what aiosmtpd's controller takes."""
        self._options |= options
        self.start()

    def stop(self) -> None:
        """Refuses all connections from now on."""
        if self._server is not None:
            self._server.stop()
            self._server = None

    async def handle_RCPT(  # noqa: N802 - the name is aiosmtpd's
        self, server: Any, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.refusal:
            return self.refusal
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Session, envelope: Envelope) -> str:  # noqa: N802
        content = envelope.content
        assert isinstance(content, bytes)
        self.begun += 1
        await asyncio.sleep(self.seconds)
        self.secured.append(session.ssl is not None)
        self.mails.append(message_from_bytes(content, policy=policy.default))
        return "250 taken"

    def authenticate(self, server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        self.logins.append((data.login, data.password))
        right = data.password == b"the right one"
        return AuthResult(success=right, handled=right)


@contextmanager
def opened_mailbox(port: int = 0, **options: Any) -> Iterator[Mailbox]:
    """A mailbox that takes mail."""
    mailbox = Mailbox(port, **options)
    mailbox.start()
    try:
        yield mailbox
    finally:
        mailbox.stop()


def link_in(mail: EmailMessage) -> str:
    """The page that a mail's link leads to."""
    return _found(mail)["link"]


def token_in(mail: EmailMessage) -> str:
    """The secret in a mail's link."""
    return _found(mail)["token"]


def _found(mail: EmailMessage) -> re.Match[str]:
    found = _LINK.search(mail.get_content())
    assert found, mail.get_content()
    return found
