"""What `clientforge up` does once: the first tenant with its admin, sample data, and filling a store that is new."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from uuid import UUID

    from application.tenancy import TenantProfile
    from infrastructure.bootstrap import Application
    from infrastructure.datadir import DataDirectory
    from infrastructure.supervisor import Supervisor

SAMPLES = Path(__file__).resolve().parents[2] / "docs" / "samples" / "small"
_KINDS = ("users", "products", "accounts", "contacts", "deals")
_IMPORTED = "sample.imported"
_TO_FILL = "stores.to-fill"


class FirstTenant(NamedTuple):
    """The tenant that `up` makes; `admin` is None where none may be made with a published password."""

    subdomain: str
    admin: "UUID | None"
    default_password: bool


def make_first_tenant(place: "DataDirectory") -> FirstTenant:
    """Makes the default tenant and its admin, unless they are there."""
    from api.commandline.context import application
    from api.commandline.seeding import EMAIL, has_default_password, seed_admin

    with application(place.path) as built:
        tenant = _tenant(built)
        if built.settings.environment == "production":
            return FirstTenant(tenant.subdomain, None, default_password=False)
        seeded = seed_admin(built, tenant, EMAIL, None)
        return FirstTenant(tenant.subdomain, seeded.user, has_default_password(built, tenant, seeded.user))


def _tenant(built: "Application") -> "TenantProfile":
    from domain.kernel import NotFound
    from domain.tenants.commands import RegisterTenant
    from domain.tenants.events import Plan

    subdomain = built.settings.default_tenant or "main"
    try:
        tenant = built.tenancy.find(subdomain)
    except NotFound:
        command = RegisterTenant(
            name=subdomain.capitalize(), subdomain=subdomain, plan=Plan.CUSTOM, max_users=None, storage_gb=None
        )
        return built.tenancy.register(command)
    built.tenancy.open(tenant.id)  # a run may have been killed before it came to this
    return tenant


def note_moved_stores(place: "DataDirectory", known: Mapping[str, str], values: Mapping[str, str]) -> None:
    """Notes which stores are others than in the last run: they are empty although the checkpoints say otherwise."""
    if "DATABASE_URL" not in known:
        return
    note = place.path / _TO_FILL
    moved = set(note.read_text().split()) if note.exists() else set()
    for group, names in (("search", ("ELASTICSEARCH_URL", "ELASTICSEARCH_PREFIX")), ("audit", ("MONGODB_URL",))):
        if any(known.get(name) != values.get(name) for name in names):
            moved.add(group)
    if moved:
        note.write_text("\n".join(sorted(moved)))


def do_chores(place: "DataDirectory", values: Mapping[str, str], supervisor: "Supervisor", *, sample: bool) -> None:
    """Fills stores that are new, and imports the sample data, each once. What fails is said, and tried again at the
    next start."""
    note = place.path / _TO_FILL
    if note.exists():
        groups = note.read_text().split()
        if _done(place, values, supervisor, "rebuild", "projections", "rebuild", *groups):
            note.unlink()
    if sample:
        _import_sample(place, values, supervisor)


def _import_sample(place: "DataDirectory", values: Mapping[str, str], supervisor: "Supervisor") -> None:
    from api.commandline.announcing import say

    note = place.path / _IMPORTED
    if note.exists():
        return
    files = [file for kind in _KINDS if (file := SAMPLES / f"{kind}.csv").exists()]
    if not files:
        say("sample", f"There is no sample data in {SAMPLES}: nothing is imported.")
        return
    for file in files:
        command = ("import", file.stem, str(file), "--map", str(file.with_suffix(".toml")))
        if not _done(place, values, supervisor, "sample", *command, "--tenant", values["DEFAULT_TENANT"]):
            return
    note.touch()


def _done(
    place: "DataDirectory", values: Mapping[str, str], supervisor: "Supervisor", name: str, *command: str
) -> bool:
    """Runs a command of this program to its end, while all else is kept running; whether it went well."""
    from api.commandline.announcing import say
    from api.commandline.up import process

    running = process(place, values, name, *command)
    running.start()
    try:
        supervisor.run(until=lambda: not running.running)
    finally:
        running.stop()
    if running.exit_code != 0:
        say(name, f"`clientforge {' '.join(command)}` failed; the next start tries it again.")
    return running.exit_code == 0
