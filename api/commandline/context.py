"""What commands work on: the settings of a system, the application over them, and one tenant of it."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from api.commandline.failures import WrongUsage
from api.commandline.options import DATA_DIR_VARIABLE

if TYPE_CHECKING:
    from application.handling import Sender
    from application.tenancy import Tenancy, TenantProfile
    from infrastructure.bootstrap import Application
    from infrastructure.settings import Settings

ACTOR = "cli"
"""Who acted, in the metadata of what the command line causes."""


def settings(data_dir: Path | None = None) -> "Settings":
    """The settings of the system that a command works on. Raises NoSettings or InvalidSettings.

    1. With `--data-dir` (or CLIENTFORGE_DATA_DIR), that directory's clientforge.env holds over the environment, and
       `.env` isn't read: it may be another system's.
    2. Otherwise the environment, then `.env` in the working directory.
    3. Where neither names a database, the system in ./.clientforge, if there is one.

    What clientforge.env says is also set in the environment of this process, for those that it starts.
    """
    from infrastructure.datadir import DEFAULT, OPTIONAL_STORES, SETTINGS_FILE, DataDirectory
    from infrastructure.settings import Settings

    place = named_directory(data_dir)
    if place is None and not _database_is_named() and (DEFAULT / SETTINGS_FILE).is_file():
        place = DEFAULT
    if place is None:
        return Settings.load()
    values = DataDirectory(place).settings()
    for name in OPTIONAL_STORES:
        os.environ.pop(name, None)
    os.environ.update(values)
    return Settings.load(_env_file=None)


def named_directory(data_dir: Path | None) -> Path | None:
    """The data directory that the command line names, or else the environment; None where neither does."""
    named = os.environ.get(DATA_DIR_VARIABLE)
    return data_dir or (Path(named) if named else None)


def _database_is_named() -> bool:
    from dotenv import dotenv_values

    names = {name.upper() for name in (*os.environ, *dotenv_values(".env", interpolate=False))}
    return "DATABASE_URL" in names


@contextmanager
def application(data_dir: Path | None = None) -> Iterator["Application"]:
    """The application over the system that a command works on. Raises psycopg.OperationalError at once without one."""
    import psycopg

    from infrastructure.bootstrap import build

    logging.disable(logging.WARNING)  # what matters of it ends up in the command's one sentence
    found = settings(data_dir)
    psycopg.connect(found.database_url.get_secret_value(), connect_timeout=5).close()  # a pool would try for long
    built = build(found)
    try:
        yield built
    finally:
        built.close()


def tenant(application: "Application", name: str | None) -> "TenantProfile":
    """A tenant by its subdomain or id, or the default one. Raises NotFound."""
    name = name or application.settings.default_tenant
    if name is None:
        raise WrongUsage("Name a tenant with --tenant, or set DEFAULT_TENANT.")
    return find(application.tenancy, name)


def find(tenancy: "Tenancy", name: str) -> "TenantProfile":
    """A tenant, or the platform itself under `platform`, unless a tenant is called so. Raises NotFound."""
    from application.platform import PLATFORM
    from application.tenancy import TenantProfile
    from domain.kernel import NotFound
    from domain.tenants.events import Plan

    try:
        return tenancy.find(name)
    except NotFound:
        if name not in ("platform", str(PLATFORM)):
            raise
        return TenantProfile(
            id=PLATFORM, name="The platform", subdomain="platform", time_zone="UTC", active=True, plan=Plan.CUSTOM
        )


def sender(tenant: "TenantProfile") -> "Sender":
    """The command line as the sender of commands to a tenant."""
    from uuid_utils.compat import uuid7

    from application.handling import Sender
    from application.tenancy import OPERATOR

    return Sender(tenant=tenant.id, actor=ACTOR, permissions=OPERATOR, correlation=uuid7())
