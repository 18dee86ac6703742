"""`clientforge tenant`: make tenants and list them."""

from typing import Annotated

import typer

from api.commandline.failures import WrongUsage
from api.commandline.options import DataDir


def create_command(
    name: Annotated[str, typer.Argument(help="What people call it: 'Acme Inc.'")],
    subdomain: Annotated[str, typer.Option(metavar="S", help="What programs call it: a DNS label such as 'acme'.")],
    time_zone: Annotated[
        str, typer.Option(metavar="Z", help="An IANA name such as Europe/Berlin: what a date without a time means.")
    ] = "UTC",
    plan: Annotated[str, typer.Option(help="starter, professional, enterprise or custom.")] = "starter",
    max_users: Annotated[int, typer.Option(metavar="N", help="0 for no limit.")] = 5,
    billing_email: Annotated[str | None, typer.Option(metavar="E", show_default=False)] = None,
    data_dir: DataDir = None,
) -> None:
    """Make a tenant with its default pipeline. `clientforge seed admin` then gives it its first user."""
    import msgspec

    from api.commandline.context import application
    from domain.tenants.commands import RegisterTenant

    asked = {
        "name": name,
        "subdomain": subdomain,
        "time_zone": time_zone,
        "plan": plan,
        "max_users": max_users or None,
        "billing_email": billing_email,
    }
    try:
        command = msgspec.convert(asked, RegisterTenant)
    except msgspec.ValidationError as error:
        raise WrongUsage(_in_words(error)) from None
    with application(data_dir) as built:
        made = built.tenancy.register(command)
    print(f"Made the tenant '{made.subdomain}' ({made.id}).")
    print(f"Give it its first user: clientforge seed admin --tenant {made.subdomain}")


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
