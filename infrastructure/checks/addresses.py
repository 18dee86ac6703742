"""Where a server is, for people to read: without the credentials in its URL."""

from urllib.parse import urlsplit


def address(url: str) -> str:
    """The host and port of a URL, or of several between commas."""
    return urlsplit(url).netloc.rpartition("@")[2] or "the address"
