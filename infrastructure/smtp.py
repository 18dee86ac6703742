"""Where mail goes: to an SMTP server, or into files while one develops. No error tells an addressee or a content."""

import email.policy
import os
import smtplib
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from email.message import EmailMessage
from pathlib import Path
from typing import Literal, NoReturn, Protocol
from uuid import uuid4

from infrastructure.addresses import sender
from infrastructure.settings import Settings

_FOR_GOOD = 500
"""SMTP's answers from here on will be the same the next time (RFC 5321, 4.2.1)."""


class MailAway(Exception):
    """The mail can't be sent for now."""


class MailRefused(Exception):
    """The server will never take this mail: there is no such mailbox, or it can't read the address."""


class Transport(Protocol):
    """Takes mail."""

    def send(self, message: EmailMessage) -> None:
        """Hands a mail over. Raises MailAway or MailRefused."""


class Smtp:
    """A server, one connection per mail. Whose certificate doesn't fit is away."""

    def __init__(self, settings: Settings, host: str) -> None:
        self._host = host
        self._port = settings.smtp_port
        self._user = settings.smtp_user
        self._password = settings.smtp_password.get_secret_value() if settings.smtp_password else ""
        self._tls: Literal["starttls", "tls", "none"] = settings.smtp_tls
        self._seconds = settings.smtp_seconds
        # Given, for smtplib otherwise asks the DNS, which may take longer than the mail.
        self._named = sender(settings.mail_from).domain if settings.mail_from else "localhost"

    def send(self, message: EmailMessage) -> None:
        """Hands a mail over. Raises MailAway or MailRefused."""
        with self._connected() as server:
            try:
                server.send_message(message)
            except smtplib.SMTPRecipientsRefused as error:
                _raise(error, max((code for code, _ in error.recipients.values()), default=0))
            except smtplib.SMTPSenderRefused as error:
                _raise(error, 0)  # all mail has that sender: it is to be put right here
            except smtplib.SMTPDataError as error:
                _raise(error, error.smtp_code)
            except (smtplib.SMTPNotSupportedError, UnicodeError) as error:
                _raise(error, _FOR_GOOD)
            except OSError as error:
                _raise(error, 0)

    @contextmanager
    def _connected(self) -> Iterator[smtplib.SMTP]:
        server = None
        try:
            server = self._opened()
            if self._tls == "starttls":
                server.starttls(context=ssl.create_default_context())
            if self._user is not None:
                server.login(self._user, self._password)
        except OSError as error:  # smtplib's own errors are among these
            if server is not None:
                server.close()
            _raise(error, 0)
        try:
            yield server
            with suppress(OSError):
                server.quit()
        finally:
            server.close()

    def _opened(self) -> smtplib.SMTP:
        if self._tls == "tls":
            context = ssl.create_default_context()
            return smtplib.SMTP_SSL(self._host, self._port, self._named, timeout=self._seconds, context=context)
        return smtplib.SMTP(self._host, self._port, self._named, timeout=self._seconds)


class MailFolder:
    """A directory in which each mail becomes a file that its owner alone can read."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def send(self, message: EmailMessage) -> None:
        """Writes a mail. Raises MailAway."""
        name = f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{uuid4().hex[:8]}.eml"
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            with open(os.open(self._directory / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(message.as_bytes(policy=email.policy.default.clone(max_line_length=998, utf8=True)))
        except OSError as error:
            _raise(error, 0)


def transport_of(settings: Settings) -> Transport | None:
    """Where the settings have mail go; None: nowhere."""
    if settings.smtp_host is not None:
        return Smtp(settings, settings.smtp_host)
    return None if settings.mail_directory is None else MailFolder(settings.mail_directory)


def _raise(error: Exception, code: int) -> NoReturn:
    """Without the error's message, which quotes addresses."""
    said = f"{type(error).__name__} {code or ''}".strip()
    if code >= _FOR_GOOD:
        raise MailRefused(said) from None
    raise MailAway(said) from None
