"""The one entry point: every command, under the heading of what it is for."""

import sys
from typing import Annotated

import typer

from api.commandline import (
    backing_up,
    database,
    deploy_verify,
    drilling,
    elastic,
    importing,
    processes,
    projections,
    queue,
    reading_logs,
    rebuilding,
    replaying,
    restoring,
    security,
    seeding,
    tenants,
    up,
    verify_services,
    verifying,
)
from api.commandline.failures import report
from api.commandline.options import DataDir, remember_data_dir
from api.commandline.sections import DATA, LOOK_AFTER, ONE_MACHINE, PROCESSES, SET_UP, Sections

_EPILOG = """\
Which system a command works on: with --data-dir DIR (before or behind the command, or CLIENTFORGE_DATA_DIR) the one
that `up` runs there, by the settings in DIR/clientforge.env. Otherwise the one that the environment names, and for
what it leaves out the file .env. Where neither has a DATABASE_URL, the one in ./.clientforge.

T is a tenant's subdomain or id. Exit codes: 0 done, 1 failed or a check found something, 2 wrong usage.
"""

_PLAIN = {"rich_markup_mode": None, "cls": Sections, "no_args_is_help": True, "add_completion": False}
"""Of every group: help is plain text, which needs no time to load."""


def _group(help: str) -> typer.Typer:
    return typer.Typer(help=help, **_PLAIN)  # type: ignore[arg-type]


app = typer.Typer(
    help="A multi-tenant CRM in which every change is an event.",
    epilog=_EPILOG,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    **_PLAIN,  # type: ignore[arg-type]
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"clientforge {version('clientforge')}")
        raise typer.Exit


@app.callback()
def _first(
    data_dir: DataDir = None,
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    remember_data_dir(data_dir)


app.command("up", rich_help_panel=ONE_MACHINE)(up.up_command)

_db = _group("The database's tables.")
_db.command("migrate")(database.migrate_command)
app.add_typer(_db, name="db", rich_help_panel=SET_UP, short_help="Bring the database's tables up to date: db migrate.")

_tenant = _group("Tenants: each is a world of its own.")
_tenant.command("create")(tenants.create_command)
_tenant.command("edit", short_help="Change a tenant, such as how many users it may have.")(tenants.edit_command)
_tenant.command("list")(tenants.list_command)
app.add_typer(
    _tenant, name="tenant", rich_help_panel=SET_UP, short_help="Make tenants and look after them: create, edit, list."
)

_seed = _group("First users.")
_seed.command("admin")(seeding.admin_command)
app.add_typer(_seed, name="seed", rich_help_panel=SET_UP, short_help="Give a tenant its first user: seed admin.")

_es = _group("Elasticsearch, where search is kept there.")
_es.command("setup-ilm", short_help="Put the lifecycle policy of the search indices.")(elastic.lifecycle_command)
_es.command("create-tenant-aliases", short_help="Make the tenants' filtered aliases anew.")(elastic.aliases_command)
app.add_typer(
    _es, name="es", rich_help_panel=SET_UP, short_help="Set Elasticsearch up: setup-ilm, create-tenant-aliases."
)

app.command("import", rich_help_panel=DATA, short_help="Import records from a CSV file.")(importing.import_command)

_events = _group("The event log: everything that ever happened.")
_events.command("verify", short_help="Recompute the hash chain of every tenant's log.")(verifying.verify_command)
_events.command("replay", short_help="Tell what happened, event by event.")(replaying.replay_command)
app.add_typer(
    _events, name="events", rich_help_panel=LOOK_AFTER, short_help="Check the log or tell it again: verify, replay."
)

_backup = _group("Backups of the log, the keys to it, and files: all else is made from the log.")
_backup.command("create", short_help="Take a backup, and remove old ones.")(backing_up.create_command)
_backup.command("list", short_help="List the backups.")(backing_up.list_command)
_backup.command("verify", short_help="Check a backup from end to end.")(backing_up.verify_command)
_backup.command("restore", short_help="Restore a backup into an empty database.")(restoring.restore_command)
_backup.command("erase-again", short_help="Erase again whom a recovery to a point in time has brought back.")(
    restoring.erase_again_command
)
_backup.command("keygen", short_help="Make the pair of keys that backups are sealed with.")(backing_up.keygen_command)
app.add_typer(
    _backup,
    name="backup",
    rich_help_panel=LOOK_AFTER,
    short_help="Backups: create, list, verify, restore, erase-again, keygen.",
)
_dr = _group("Disaster recovery.")
_dr.command("drill", short_help="Rehearse a recovery from the newest backup.")(drilling.drill_command)
app.add_typer(_dr, name="dr", rich_help_panel=LOOK_AFTER, short_help="Rehearse a recovery: dr drill.")

_projections = _group("Projections: what queries read, made from the log.")
_projections.command("status", short_help="Show how far each projection is, and what stands still.")(
    projections.status_command
)
_projections.command("rebuild", short_help="Make read models anew from the log.")(rebuilding.rebuild_command)
_projections.command("retry", short_help="Let what stands still try again at once.")(projections.retry_command)
_projections.command("skip", short_help="Leave an event out that can't be applied.")(projections.skip_command)
app.add_typer(
    _projections,
    name="projections",
    rich_help_panel=LOOK_AFTER,
    short_help="What queries read: status, rebuild, retry, skip.",
)

_queue = _group("The queues that the workers take messages from.")
_queue.command("health", short_help="Show the queues' figures; exit code 1 when they aren't healthy.")(
    queue.health_command
)
_queue.command("list-dlq", short_help="Show the dead letters.")(queue.list_command)
_queue.command("retry-dlq", short_help="Do what the dead letters were about once more.")(queue.retry_command)
_queue.command("clear-dlq", short_help="Delete all dead letters.")(queue.clear_command)
app.add_typer(
    _queue,
    name="queue",
    rich_help_panel=LOOK_AFTER,
    short_help="The workers' queues: health, list-dlq, retry-dlq, clear-dlq.",
)

app.command("logs", rich_help_panel=LOOK_AFTER, short_help="Show what the processes logged.")(reading_logs.logs_command)

_security = _group("Security: what is insecure in the sources and in what runs.")
_security.command("scan", short_help="Look for what is insecure.")(security.scan_command)
app.add_typer(_security, name="security", rich_help_panel=LOOK_AFTER, short_help="Look for what is insecure: scan.")

_verify = _group("Verification: whether a system has what it needs.")
_verify.command("services", short_help="Look at settings, packages, stores, the API and log-ins.")(
    verify_services.services_command
)
app.add_typer(
    _verify, name="verify", rich_help_panel=LOOK_AFTER, short_help="Look whether a system has what it needs: services."
)

_deploy = _group("Deployments: whether one that runs does what it should.")
_deploy.command("verify", short_help="Log in, ask everything, and follow a write through all read models.")(
    deploy_verify.verify_command
)
app.add_typer(_deploy, name="deploy", rich_help_panel=LOOK_AFTER, short_help="Look whether a deployment works: verify.")

app.command("serve", rich_help_panel=PROCESSES, short_help="Answer HTTP requests.")(processes.serve_command)
app.command("worker", rich_help_panel=PROCESSES, short_help="Project the log into read models, search and audit.")(
    processes.worker_command
)
app.command("sweeper", rich_help_panel=PROCESSES, short_help="Wake workers where a wake-up got lost.")(
    processes.sweeper_command
)


def run() -> None:
    """Runs the command that the arguments ask for, and exits."""
    try:
        app(prog_name="clientforge")
    except Exception as error:
        sys.exit(report(error))
