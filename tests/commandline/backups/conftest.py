"""A system with two tenants, people in them, one of whom was erased; and where its backups go."""

import secrets
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import psycopg
import pyrage
import pytest
from psycopg import sql
from uuid_utils.compat import uuid7

from api.commandline.context import sender
from api.commandline.seeding import _access, seed_admin
from application.tenancy import TenantProfile
from domain.contacts.commands import CreateContact, EmailDraft
from domain.tenants.commands import RegisterTenant
from infrastructure.backups.filling import fill
from infrastructure.bootstrap import Application, build
from infrastructure.sessions import Client
from infrastructure.settings import Settings
from tests.fixtures import PASSWORDS, DatabaseUrls, copied
from tests.services.databases import Postgres

ADMIN = "boss@company.example"
Over = Callable[[DatabaseUrls], AbstractContextManager[Application]]


@pytest.fixture(autouse=True)
def signals_arrive() -> Iterator[None]:
    """Has commands get the signals that whoever started the tests has ignored: nohup does, and a shell that goes on."""
    ignored = [each for each in (signal.SIGINT, signal.SIGHUP) if signal.getsignal(each) == signal.SIG_IGN]
    for each in ignored:
        signal.signal(each, signal.SIG_DFL)
    yield
    for each in ignored:
        signal.signal(each, signal.SIG_IGN)


@pytest.fixture
def identity(tmp_path: Path) -> Path:
    """The file with the private key that opens the test's backups."""
    return write_identity(tmp_path / "identity")


def write_identity(file: Path) -> Path:
    """A new private key in a file, with its public one as a comment."""
    made = pyrage.x25519.Identity.generate()
    file.write_text(f"# public key: {made.to_public()}\n{made}\n")
    return file


@pytest.fixture
def environment(environment: dict[str, str], identity: Path, tmp_path: Path) -> dict[str, str]:
    """The test's system, with a place for its backups."""
    return {
        **environment,
        "BACKUP_DIR": str(tmp_path / "backups"),
        "BACKUP_RECIPIENTS": identity.read_text().split()[3],
        "BACKUP_IDENTITY_FILE": str(identity),
    }


@dataclass
class Company:
    """A tenant with an admin and contacts; one of them was erased."""

    tenant: TenantProfile
    password: str
    admin: UUID
    erased: UUID
    contacts: list[UUID] = field(default_factory=list)


def add_contact(built: Application, tenant: TenantProfile, name: str) -> UUID:
    made = built.handler.handle(
        sender(tenant),
        "contact",
        uuid7(),
        CreateContact(first_name=name, last_name="Lovelace", emails=(EmailDraft(address=f"{name}@home.example"),)),
    )
    return made.id


def found(built: Application, name: str) -> Company:
    """Makes a company, with its read models."""
    tenant = built.tenancy.register(RegisterTenant(name=name, subdomain=name))
    password = secrets.token_urlsafe(24)
    admin = seed_admin(built, tenant, ADMIN, password).user
    contacts = [add_contact(built, tenant, first) for first in ("ada", "grace", "emmy")]
    return Company(tenant=tenant, password=password, admin=admin, erased=contacts.pop(), contacts=contacts)


def erase(urls: DatabaseUrls, subject: UUID) -> None:
    """Destroys a person's key."""
    with psycopg.connect(urls.superuser, autocommit=True) as connection:
        connection.execute(
            "UPDATE keys.subject_keys SET wrapped = NULL, erased_at = now() WHERE subject = %s", (subject,)
        )


@pytest.fixture
def companies(built: Application, fresh_urls: DatabaseUrls) -> list[Company]:
    """Two companies, their read models up to date."""
    made = [found(built, name) for name in ("acme", "globex")]
    for company in made:
        erase(fresh_urls, company.erased)
    with psycopg.connect(fresh_urls.monitor) as connection:
        tenants = [row[0] for row in connection.execute("SELECT tenant_id FROM tenant_heads")]
    fill(built.engine, tenants)
    return made


def logs_in(built: Application, company: Company) -> bool:
    """Whether the company's admin gets in by their password."""
    names, client = [company.tenant.subdomain], Client(address="192.0.2.1")
    return bool(_access(built)[0].log_in(names, ADMIN, company.password, client).access_token)


@pytest.fixture
def empty_urls(postgres: Postgres, migrated_template: str) -> DatabaseUrls:
    """An empty database with all tables."""
    return copied(postgres.superuser_url, migrated_template)


@pytest.fixture
def bare_urls(postgres: Postgres, migrated_template: str) -> DatabaseUrls:
    """A database without tables. The roles are there."""
    name = f"bare_{secrets.token_hex(6)}"
    with psycopg.connect(postgres.superuser_url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} OWNER clientforge_owner").format(sql.Identifier(name)))
    address = postgres.superuser_url.split("@", 1)[1].split("/", 1)[0]
    owner, app, monitor = (
        f"postgresql://{role}:{PASSWORDS[role]}@{address}/{name}"
        for role in ("clientforge_owner", "clientforge_app", "clientforge_monitor")
    )
    return DatabaseUrls(
        superuser=f"{postgres.superuser_url.rsplit('/', 1)[0]}/{name}", owner=owner, app=app, monitor=monitor
    )


def named(urls: DatabaseUrls) -> dict[str, str]:
    """The variables by which a command finds a database."""
    return {"DATABASE_URL": urls.app, "DATABASE_OWNER_URL": urls.owner, "DATABASE_MONITOR_URL": urls.monitor}


@pytest.fixture
def over(environment: dict[str, str]) -> Over:
    """The application over another database, in this process."""

    @contextmanager
    def over(urls: DatabaseUrls) -> Iterator[Application]:
        names = {name.upper() for name in Settings.model_fields}
        chosen = {**environment, **named(urls)}
        values = {name.lower(): chosen[name] for name in names & chosen.keys()}
        application = build(Settings.load(_env_file=None, **values))
        try:
            yield application
        finally:
            application.close()

    return over


@pytest.fixture
def aside() -> Iterator[Path]:
    """A directory for temporary files that a server under an account of its own gets to, too."""
    with tempfile.TemporaryDirectory(dir="/tmp") as directory:
        Path(directory).chmod(0o711)
        yield Path(directory)


def only_backup(environment: dict[str, str]) -> Path:
    """The directory of the one backup that there is."""
    (path,) = Path(environment["BACKUP_DIR"]).glob("*Z")
    return path


def flip(path: Path, at: int | None = None) -> None:
    """Alters one byte of a file."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2 if at is None else at] ^= 1
    path.write_bytes(data)
