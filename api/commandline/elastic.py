"""`clientforge es`: what Elasticsearch is set up with beyond what the first write makes."""

from typing import TYPE_CHECKING, cast

import typer

from api.commandline.failures import CommandFailed
from api.commandline.options import AllOrOneTenant, DataDir

if TYPE_CHECKING:
    from uuid import UUID

    from infrastructure.bootstrap import Application
    from infrastructure.elasticsearch import ElasticsearchIndex


def lifecycle_command(data_dir: DataDir = None) -> None:
    """Put the lifecycle policy of the search indices, and have them follow it. It may be repeated."""
    from api.commandline.context import application
    from infrastructure.elasticsearch_lifecycle import LifecycleUnsupported

    with application(data_dir) as built:
        try:
            _index(built).set_up_lifecycle()
        except LifecycleUnsupported as error:
            raise CommandFailed(str(error)) from None
    print("The search indices follow their lifecycle policy.")


def aliases_command(tenant: AllOrOneTenant = None, data_dir: DataDir = None) -> None:
    """Make the filtered alias of each tenant anew, to the generation that is live. It may be repeated.

    Searches go through these aliases alone: where one is missing, they fail, and never find too much.
    """
    from api.commandline.context import application, find

    with application(data_dir) as built:
        index = _index(built)
        tenants = list(built.tenancy.all()) if tenant is None else [find(built.tenancy, tenant)]
        for each in tenants:
            index.publish(each.id, _live(built, each.id))
    if not tenants:
        print("There is no tenant yet.")
        raise typer.Exit
    print(f"Made the aliases of {len(tenants)} tenant{'s' * (len(tenants) != 1)}.")


def _index(built: "Application") -> "ElasticsearchIndex":
    if built.settings.elasticsearch_url is None:
        raise CommandFailed("Search is kept in PostgreSQL: set ELASTICSEARCH_URL for Elasticsearch.")
    return cast("ElasticsearchIndex", built.search)


def _live(built: "Application", tenant: "UUID") -> int:
    from projections.checkpoints import standing

    live = standing(built.engine.database, tenant, ("search",)).live
    return live[0].generation if live else 1
