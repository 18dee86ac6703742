"""E-mail addresses as the headers of a message hold them: no text becomes another header, or another addressee."""

from email.errors import HeaderParseError, MessageError
from email.headerregistry import Address
from email.utils import parseaddr

from domain.kernel import Invalid
from domain.values import check_email


def addressee(text: str) -> Address:
    """The one address that a text is. Raises ValueError for any other text."""
    try:
        check_email(text, "")
        return Address(addr_spec=text)
    except (Invalid, HeaderParseError, MessageError, ValueError, IndexError):
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
