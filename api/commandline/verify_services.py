"""`clientforge verify services`: whether everything is there that the processes need, and as they need it."""

from typing import TYPE_CHECKING, Annotated

import typer

from api.commandline.options import DataDir
from api.commandline.telling import AsJson, tell

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from infrastructure.checks.together import Check
    from infrastructure.findings import Finding
    from infrastructure.settings import Settings

_NEED_SETTINGS = ("PostgreSQL", "MongoDB", "Redis", "Elasticsearch", "API", "authentication")


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
    from infrastructure.checks.together import together

    _be_quiet()
    try:
        wrong, checks = _all(data_dir, url)
    except ImportError as error:
        wrong, checks = _not_even_imported(error)
    tell([*wrong, *together(checks)], as_json=as_json)


def _be_quiet() -> None:
    """What clients and pools warn of is in the table, in a sentence."""
    import logging

    logging.disable(logging.CRITICAL)


def _all(data_dir: "Path | None", url: str | None) -> "tuple[Sequence[Finding], Mapping[str, Check]]":
    """What is wrong with the settings, and the checks that can be made with them."""
    from functools import partial

    from api.commandline.context import settings
    from infrastructure.checks.installation import invalid_environment
    from infrastructure.datadir import NoSettings
    from infrastructure.settings import InvalidSettings

    here = _of_the_installation(data_dir)
    try:
        found = settings(data_dir)
    except (InvalidSettings, NoSettings) as error:
        return invalid_environment(error), {**here, **{name: partial(_unseen, name) for name in _NEED_SETTINGS}}
    return [], {**here, **_of_the_services(found, url)}


def _unseen(name: str) -> "list[Finding]":
    from infrastructure.findings import skipped

    return [skipped(name, "it needs valid settings")]


def _not_even_imported(error: ImportError) -> "tuple[Sequence[Finding], Mapping[str, Check]]":
    """What can still be looked at where a module is missing, of ours or of a package."""
    from infrastructure.checks import release
    from infrastructure.findings import failure

    return [failure("modules", str(error), "mend file structure and dependencies first")], {
        "file structure": release.files,
        "dependencies": _dependencies,
    }


def _of_the_installation(data_dir: "Path | None") -> "Mapping[str, Check]":
    import os
    from functools import partial
    from pathlib import Path

    from api.commandline.options import DATA_DIR_VARIABLE
    from infrastructure.checks import release
    from infrastructure.datadir import DEFAULT, SETTINGS_FILE

    place = data_dir or Path(os.environ.get(DATA_DIR_VARIABLE, DEFAULT))
    secrets = (Path(".env"), place / SETTINGS_FILE)
    return {"file structure": partial(release.files, secrets=secrets), "dependencies": _dependencies}


def _dependencies() -> "Sequence[Finding]":
    from infrastructure.checks.packages import dependencies

    return dependencies()


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
