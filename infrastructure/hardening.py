"""What production refuses to start with: secrets that can be guessed, passwords that are published, plain HTTP.

All that is wrong is told at once, and no value with it.
"""

import ipaddress
import math
import re
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from infrastructure.settings import Settings

_LEAST_BITS = 100
_PLACEHOLDER = re.compile(
    r"secret|change.?me|password|example|clientforge|default|letmein|12345|qwert|abcde", re.IGNORECASE
)
_KNOWN_PASSWORDS = frozenset(
    {"", "password", "postgres", "admin", "clientforge", "changeme", "secret", "redis", "root"}
)


def weaknesses(settings: "Settings") -> list[str]:
    """A line for each setting that production must not have, with what would be right."""
    return [*_guessable(settings), *_known_passwords(settings), *_plain_http(settings), *_mail(settings)]


def _guessable(settings: "Settings") -> Iterator[str]:
    if is_guessable(settings.jwt_secret.get_secret_value()):
        yield "JWT_SECRET: can be guessed; make one with: openssl rand -base64 48"
    previous = settings.jwt_secret_previous
    if previous is not None and is_guessable(previous.get_secret_value()):
        yield "JWT_SECRET_PREVIOUS: can be guessed, and still opens the API; leave it out"
    # 32 random bytes are nearly all different; typed ones and counters aren't random.
    key = settings.master_key_bytes
    if len(set(key)) < 20 or key == bytes(sorted(key)):
        yield "MASTER_KEY: can be guessed; make one with: openssl rand -base64 32"


def is_guessable(secret: str) -> bool:
    """Whether a secret holds a word of examples, or too little variety: below 100 bits by its own letters' entropy."""
    return bool(_PLACEHOLDER.search(secret)) or _bits(secret) < _LEAST_BITS


def _bits(text: str) -> float:
    """Shannon's entropy of a text, taking its own letters' frequencies for their source's."""
    return -sum(count * math.log2(count / len(text)) for count in Counter(text).values())


def _known_passwords(settings: "Settings") -> Iterator[str]:
    for name in ("database_url", "database_owner_url", "database_monitor_url"):
        url = getattr(settings, name)
        if url is None:
            continue
        parts = urlsplit(url.get_secret_value())
        password = unquote(parts.password or "")
        if password.lower() in _KNOWN_PASSWORDS or password == parts.username:
            yield f"{name.upper()}: its password is missing, or one that everybody tries first"


def _plain_http(settings: "Settings") -> Iterator[str]:
    if settings.public_url is not None and not settings.is_https:
        yield "PUBLIC_URL: is plain HTTP; passwords and tokens need https://"
    for origin in settings.cors_origins:
        if not origin.startswith("https://"):
            yield f"CORS_ORIGINS: {origin} is plain HTTP; whoever is between could use what its pages may"


def _mail(settings: "Settings") -> Iterator[str]:
    if settings.sign_up and settings.smtp_host is None:
        yield "SMTP_HOST: is missing; without mail nobody can end their SIGN_UP"
    if settings.smtp_host is not None:
        if settings.public_url is None:
            yield "PUBLIC_URL: is missing; links in mails need it"
        if settings.smtp_tls == "none" and not _is_this_machine(settings.smtp_host):
            yield "SMTP_TLS: is none; whoever is between could use the links in mails"
    elif settings.mail_directory is not None:
        yield "MAIL_DIRECTORY: is for development; links that open accounts would lie in files"


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
