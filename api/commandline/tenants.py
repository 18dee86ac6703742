"""`clientforge tenant`: make tenants, change and list them."""

from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from api.commandline.failures import WrongUsage
from api.commandline.options import DataDir

if TYPE_CHECKING:
    from domain.kernel import Command

    C = TypeVar("C", bound=Command)


def create_command(
    name: Annotated[str, typer.Argument(help="What people call it: 'Acme Inc.'")],
    subdomain: Annotated[str, typer.Option(metavar="S", help="What programs call it: a DNS label such as 'acme'.")],
    time_zone: Annotated[
        str, typer.Option(metavar="Z", help="An IANA name such as Europe/Berlin: what a date without a time means.")
    ] = "UTC",
    plan: Annotated[str, typer.Option(help="starter, professional, enterprise or custom.")] = "starter",
    max_users: Annotated[int, typer.Option(metavar="N", help="0 for no limit.")] = 5,
    storage_gb: Annotated[
        int | None,
        typer.Option(
            metavar="N", show_default=False, help="For its files; what its plan has unless given, 0: no limit."
        ),
    ] = None,
    billing_email: Annotated[str | None, typer.Option(metavar="E", show_default=False)] = None,
    data_dir: DataDir = None,
) -> None:
    """Make a tenant with its default pipeline. `clientforge seed admin` then gives it its first user."""
    from api.commandline.context import application
    from domain.tenants.commands import RegisterTenant

    asked: dict[str, Any] = {
        "name": name,
        "subdomain": subdomain,
        "time_zone": time_zone,
        "plan": plan,
        "max_users": max_users or None,
        "billing_email": billing_email,
    }
    if storage_gb is not None:
        asked["storage_gb"] = storage_gb or None
    command = _command(asked, RegisterTenant)
    with application(data_dir) as built:
        made = built.tenancy.register(command)
    print(f"Made the tenant '{made.subdomain}' ({made.id}).")
    print(f"Give it its first user: clientforge seed admin --tenant {made.subdomain}")


def edit_command(
    tenant: Annotated[str, typer.Argument(metavar="T", help="Its subdomain or id.")],
    name: Annotated[str | None, typer.Option(metavar="N", show_default=False)] = None,
    subdomain: Annotated[str | None, typer.Option(metavar="S", show_default=False)] = None,
    time_zone: Annotated[str | None, typer.Option(metavar="Z", show_default=False)] = None,
    plan: Annotated[
        str | None, typer.Option(help="starter, professional, enterprise or custom.", show_default=False)
    ] = None,
    max_users: Annotated[
        int | None,
        typer.Option(metavar="N", show_default=False, help="0 for no limit. A lower one turns nobody out."),
    ] = None,
    storage_gb: Annotated[
        int | None,
        typer.Option(metavar="N", show_default=False, help="For its files; 0 for no limit. A lower one removes none."),
    ] = None,
    billing_email: Annotated[str | None, typer.Option(metavar="E", show_default=False)] = None,
    data_dir: DataDir = None,
) -> None:
    """Change a tenant. What no option names stays as it is."""
    from api.commandline.context import application
    from domain.tenants.commands import EditTenant

    options = {
        "name": name,
        "subdomain": subdomain,
        "time_zone": time_zone,
        "plan": plan,
        "max_users": max_users,
        "storage_gb": storage_gb,
        "billing_email": billing_email,
    }
    asked: dict[str, Any] = {option: value for option, value in options.items() if value is not None}
    if not asked:
        raise WrongUsage("Name what to change: see --help.")
    for limit in ("max_users", "storage_gb"):
        if asked.get(limit) == 0:
            asked[limit] = None
    command = _command(asked, EditTenant)
    with application(data_dir) as built:
        edited = built.tenancy.edit(built.tenancy.find(tenant).id, command)
    most = "any number of" if edited.max_users is None else f"at most {edited.max_users}"
    print(f"The tenant '{edited.subdomain}' ({edited.name}) has the plan {edited.plan} and {most} active users.")


def _command(asked: dict[str, Any], kind: "type[C]") -> "C":
    """The command that the options ask for. Raises WrongUsage."""
    import msgspec

    try:
        return msgspec.convert(asked, kind)
    except msgspec.ValidationError as error:
        raise WrongUsage(_in_words(error)) from None


def _in_words(error: Exception) -> str:
    """What msgspec says, with the option instead of the field."""
    what, _, where = str(error).partition(" - at `$.")
    option = where.rstrip("`").replace("_", "-")
    if option == "subdomain":
        return "--subdomain takes a DNS label: lower-case letters, digits and hyphens between them, such as 'acme'."
    return f"--{option}: {what[:1].lower()}{what[1:]}." if option else f"{what}."


def list_command(data_dir: DataDir = None) -> None:
    """List all tenants: subdomain, id, time zone, whether they are active, and name."""
    from api.commandline.context import application

    with application(data_dir) as built:
        for each in built.tenancy.all():
            state = "active" if each.active else "inactive"
            print(f"{each.subdomain:<20} {each.id}  {each.time_zone:<16} {state:<8} {each.name}")
