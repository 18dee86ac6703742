"""One running system for all generated requests. Each module makes a tenant of its own in it."""

from collections.abc import Iterator

import pytest

from tests.fixtures import copied
from tests.journeys.system import System, environment, running


@pytest.fixture(scope="package")
def running_system(
    postgres, migrated_template, redis_url, elasticsearch_url, mongodb_url, tmp_path_factory
) -> Iterator[System]:
    """The system, without a tenant."""
    urls = copied(postgres.superuser_url, migrated_template)
    variables = environment(urls, redis_url, elasticsearch_url, mongodb_url)
    # Generated positions lie in the future, and are waited for.
    variables["READ_YOUR_WRITES_SECONDS"] = "0.02"
    variables |= {"MAIL_DIRECTORY": str(tmp_path_factory.mktemp("mail")), "SIGN_UP": "true"}
    with running(variables, tmp_path_factory.mktemp("fuzzing")) as system:
        yield system
