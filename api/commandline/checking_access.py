"""Who could get in: whether the signing secret can be guessed, each tenant has an admin, and none a known password."""

from collections.abc import Iterator, Sequence
from itertools import chain, islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from application.tenancy import TenantProfile
    from infrastructure.bootstrap import Application
    from infrastructure.findings import Finding
    from infrastructure.settings import Settings

_SECRET, _ADMINS, _PASSWORDS = "authentication secret", "authentication admins", "default password"
_MOST = 50
"""Of so many tenants the admins are looked at: to compare a password takes a twentieth of a second."""

_HASHES = """
SELECT c.password_hash FROM principals p
LEFT JOIN credentials c ON c.tenant_id = p.tenant_id AND c.user_id = p.user_id
WHERE p.tenant_id = %(tenant)s AND p.role = 'admin' AND p.active
"""


def access(settings: "Settings") -> "Sequence[Finding]":
    """The signing secret; and, of each tenant, its admins and their passwords."""
    from contextlib import closing

    import psycopg

    from infrastructure.bootstrap import build
    from infrastructure.findings import failure
    from infrastructure.postgres import UnsafeRole
    from projections.ports import StoreAway

    secret = _secret(settings)
    try:
        psycopg.connect(settings.database_url.get_secret_value(), connect_timeout=3).close()
        with closing(build(settings)) as built:
            return [secret, *_admins(built)]
    except (psycopg.Error, StoreAway, UnsafeRole):
        return [secret, failure(_ADMINS, "can't be seen: the database refuses or is away", "see the PostgreSQL checks")]


def _secret(settings: "Settings") -> "Finding":
    from infrastructure.findings import failure, ok
    from infrastructure.guessing import is_guessable

    if is_guessable(settings.jwt_secret.get_secret_value()):
        return failure(_SECRET, "JWT_SECRET can be guessed", "make one with: openssl rand -base64 48")
    return ok(_SECRET, "JWT_SECRET is long and random enough")


def _admins(built: "Application") -> "Iterator[Finding]":
    from infrastructure.findings import failure, ok

    hashes = {each.subdomain: _hashes_of(built, each) for each in islice(_tenants(built), _MOST)}
    default = built.settings.default_tenant
    if not hashes or (default is not None and default not in hashes):
        yield failure(
            _ADMINS,
            "there is no tenant"
            if not hashes
            else f"there is no active tenant '{default}', which DEFAULT_TENANT names",
            "clientforge tenant create, then clientforge seed admin",
        )
        return
    looked = f"the first {_MOST} tenants" if len(hashes) == _MOST else f"all active tenants ({len(hashes)})"
    if lacking := [name for name, found in hashes.items() if not found]:
        yield failure(_ADMINS, f"no active admin: {_some(lacking)}", "clientforge seed admin --tenant T")
    else:
        yield ok(_ADMINS, f"{looked} have an active admin")
    yield _passwords(hashes, production=built.settings.environment == "production")


def _tenants(built: "Application") -> "Iterator[TenantProfile]":
    """Active tenants, the default one first."""
    from domain.kernel import NotFound

    default = built.settings.default_tenant
    try:
        first = [] if default is None else [built.tenancy.find(default)]
    except NotFound:
        first = []
    others = (each for each in built.tenancy.all() if each not in first)
    return (each for each in chain(first, others) if each.active)


def _hashes_of(built: "Application", tenant: "TenantProfile") -> list[str | None]:
    """Of each active admin the password's hash; None of one who has no password yet, or never gets one."""
    return [row["password_hash"] for row in built.database.read(tenant.id, _HASHES)]


def _passwords(hashes: dict[str, list[str | None]], *, production: bool) -> "Finding":
    from api.commandline.seeding import PASSWORD
    from infrastructure.findings import failure, ok, warning
    from infrastructure.passwords import Passwords

    passwords = Passwords()
    known = [name for name, found in hashes.items() if any(passwords.verify(each, PASSWORD) for each in found if each)]
    if not known:
        return ok(_PASSWORDS, "no admin has the published password")
    how = failure if production else warning
    return how(
        _PASSWORDS, f"an admin has the published password: {_some(known)}", "seed admin --tenant T --reset --ask"
    )


def _some(names: list[str]) -> str:
    return ", ".join(names[:5]) + ("" if len(names) <= 5 else f" and {len(names) - 5} more")
