"""The secrets that the deployment's own script makes."""

import subprocess
from pathlib import Path

import pytest

from tests.deployment.compose import DEPLOY


@pytest.fixture(scope="session")
def secrets_directory(tmp_path_factory) -> Path:
    """A directory with all secrets."""
    directory = tmp_path_factory.mktemp("deployment") / "secrets"
    subprocess.run(["sh", DEPLOY / "make-secrets.sh", directory], check=True)
    return directory
