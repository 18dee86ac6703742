"""What production refuses to start with: secrets that can be guessed, passwords that are published, plain HTTP, and
the belief in what anybody may say.

All that is wrong is told at once, and no value with it.
"""

import ipaddress
from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote, urlsplit

from infrastructure.guessing import is_guessable, is_guessable_key, is_weak_password

if TYPE_CHECKING:
    from pydantic import SecretStr

    from infrastructure.settings import Settings

_DATABASES = ("database_url", "database_owner_url", "database_monitor_url")
_STORES = ("redis_url", "elasticsearch_url", "mongodb_url")
_WIDEST = {4: 8, 6: 32}
"""The shortest prefix of a network of one's own proxies, by the version of IP."""
_PRIVATE_6 = ipaddress.IPv6Network("fc00::/7")


def weaknesses(settings: "Settings") -> list[str]:
    """A line for each setting that production must not have, with what would be right."""
    return [
        *_guessable(settings),
        *_passwords(settings),
        *_plain_http(settings),
        *_believed(settings),
        *_mail(settings),
    ]


def _guessable(settings: "Settings") -> Iterator[str]:
    secret, previous = settings.jwt_secret.get_secret_value(), settings.jwt_secret_previous
    if is_guessable(secret):
        yield "JWT_SECRET: can be guessed; make one with: openssl rand -base64 48"
    if _holds_master_key(settings, secret):
        yield "JWT_SECRET: is MASTER_KEY; whoever checks tokens would open all personal data: make another one"
    if previous is not None and (
        is_guessable(previous.get_secret_value()) or _holds_master_key(settings, previous.get_secret_value())
    ):
        yield "JWT_SECRET_PREVIOUS: can be guessed, and still opens the API; leave it out"
    if is_guessable_key(settings.master_key_bytes):
        yield "MASTER_KEY: can be guessed; make one with: openssl rand -base64 32"
    if settings.metrics_token is not None and is_weak_password(settings.metrics_token.get_secret_value()):
        yield "METRICS_TOKEN: can be guessed; make one with: openssl rand -base64 32"


def _holds_master_key(settings: "Settings", secret: str) -> bool:
    """Whether a secret is the master key or made of it, in one of the forms in which keys are written."""
    written, key = settings.master_key.get_secret_value(), settings.master_key_bytes
    plain = written.rstrip("=")
    forms = (plain, plain.replace("+", "-").replace("/", "_"), key.hex(), key.hex().upper())
    return any(each in secret for each in forms)


def _passwords(settings: "Settings") -> Iterator[str]:
    for name in (*_DATABASES, *_STORES):
        url: SecretStr | None = getattr(settings, name)
        if url is None:
            continue
        user, password, host, path = _told(url.get_secret_value())
        if not password and name in _STORES and _is_here(host):
            continue
        if is_weak_password(password, (user, host, path, "clientforge", name.split("_")[0])):
            yield (
                f"{name.upper()}: its password is missing, or is guessed within hours; "
                "make one with: openssl rand -hex 24"
            )


def _told(url: str) -> tuple[str, str, str, str]:
    """User, password, host and path of a store's URL, which may say the first two in its query instead."""
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query))
    user = unquote(parts.username or "") or query.get("user", query.get("username", ""))
    password = unquote(parts.password or "") or query.get("password", "")
    several = parts.netloc.rpartition("@")[2] if "," in parts.netloc else ""
    return user, password, several or parts.hostname or "", parts.path.strip("/")


def _is_here(host: str) -> bool:
    """Whether a store is reached without a network."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host in ("", "localhost")


def _plain_http(settings: "Settings") -> Iterator[str]:
    if settings.public_url is None:
        yield "PUBLIC_URL: is missing; without it cookies are sent over plain HTTP, too: say https://…"
    elif not settings.is_https:
        yield "PUBLIC_URL: is plain HTTP; passwords and tokens need https://"
    for origin in settings.cors_origins:
        if not origin.startswith("https://"):
            yield f"CORS_ORIGINS: {origin} is plain HTTP; whoever is between could use what its pages may"


def _believed(settings: "Settings") -> Iterator[str]:
    for network in settings.trusted_proxies:
        own = network.version == 6 and network.subnet_of(_PRIVATE_6)
        if network.prefixlen < _WIDEST[network.version] and not own:
            yield f"TRUSTED_PROXIES: {network} is half the world; whoever is in it may claim any address"


def _mail(settings: "Settings") -> Iterator[str]:
    if settings.sign_up and settings.smtp_host is None:
        yield "SMTP_HOST: is missing; without mail nobody can end their SIGN_UP"
    if settings.smtp_host is not None:
        if settings.smtp_tls == "none" and not _is_here(settings.smtp_host):
            yield "SMTP_TLS: is none; whoever is between could use the links in mails"
    elif settings.mail_directory is not None:
        yield "MAIL_DIRECTORY: is for development; links that open accounts would lie in files"
