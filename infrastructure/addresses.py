"""E-mail addresses as the headers of a message hold them: no text becomes another header, or another addressee."""

import re
from email.errors import MessageError
from email.headerregistry import Address
from email.utils import parseaddr

from domain.kernel import Invalid
from domain.values import check_email

_PLAIN = re.compile(r"[^\s@\"<>()\[\],;:\\\x00-\x1f\x7f]+@[\w-]+(\.[\w-]+)*")
"""What reads as one address wherever it stands: nothing in it is a sign of the header's own."""


def addressee(text: str) -> Address:
    """The one address that a text is. Raises ValueError for any other text."""
    try:
        check_email(text, "")
        if not _PLAIN.fullmatch(text):
            raise ValueError
        name, _, domain = text.rpartition("@")
        return Address(username=name, domain=domain.encode("idna").decode())
    except (Invalid, MessageError, ValueError):
        raise ValueError("not an address") from None


def sender(text: str) -> Address:
    """The name and address of a text such as `ClientForge <crm@example.com>`. Raises ValueError."""
    name, address = parseaddr(text)
    found = addressee(address)
    return Address(display_name=name, username=found.username, domain=found.domain)


def is_sender(text: str) -> bool:
    """Whether a text is an address with or without a name."""
    try:
        sender(text)
    except (ValueError, TypeError):
        return False
    return True
