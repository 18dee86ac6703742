"""`clientforge verify services`: whether everything is there that the processes need, and as they need it."""

from typing import TYPE_CHECKING, Annotated

import typer

from api.commandline.options import DataDir
from api.commandline.telling import AsJson, tell

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from infrastructure.checks.together import Check
    from infrastructure.settings import Settings


def services_command(
    url: Annotated[
        str | None,
        typer.Option(
            metavar="U", show_default=False, help="Where the API is; PUBLIC_URL, or HOST and PORT, unless given."
        ),
    ] = None,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Look at settings, files, packages, PostgreSQL, MongoDB, Redis, Elasticsearch, the API with its documentation, and
    who could log in. Exit code 1 when anything must be mended.

    It changes nothing, and a server that is dead costs seconds.
    """
    from api.commandline.context import settings
    from infrastructure.checks.installation import invalid_environment
    from infrastructure.checks.together import together
    from infrastructure.datadir import NoSettings
    from infrastructure.settings import InvalidSettings

    _be_quiet()
    try:
        found = settings(data_dir)
    except (InvalidSettings, NoSettings) as error:
        wrong = invalid_environment(error)
        tell([*wrong, *together(_of_the_installation(data_dir))], as_json=as_json)
        return
    tell(together({**_of_the_installation(data_dir), **_of_the_services(found, url)}), as_json=as_json)


def _be_quiet() -> None:
    """What clients and pools warn of is in the table, in a sentence."""
    import logging

    logging.disable(logging.CRITICAL)


def _of_the_installation(data_dir: "Path | None") -> "Mapping[str, Check]":
    import os
    from functools import partial
    from pathlib import Path

    from api.commandline.options import DATA_DIR_VARIABLE
    from infrastructure.checks import installation, packages
    from infrastructure.datadir import DEFAULT, SETTINGS_FILE

    place = data_dir or Path(os.environ.get(DATA_DIR_VARIABLE, DEFAULT))
    secrets = (Path(".env"), place / SETTINGS_FILE)
    return {"file structure": partial(installation.files, secrets=secrets), "dependencies": packages.dependencies}


def _of_the_services(settings: "Settings", url: str | None) -> "Mapping[str, Check]":
    from functools import partial

    from api.commandline.checking_access import access
    from infrastructure.checks import elasticsearch, installation, mongo, postgres, redis, serving

    return {
        "environment": partial(installation.environment, settings),
        "PostgreSQL": partial(postgres.postgresql, settings),
        "MongoDB": partial(mongo.mongodb, settings),
        "Redis": partial(redis.redis_server, settings.redis_url.get_secret_value()),
        "Elasticsearch": partial(elasticsearch.elasticsearch, settings),
        "API": partial(serving.api, url or serving.url_of(settings)),
        "authentication": partial(access, settings),
    }
