"""An API process of its own that is asked many times: run by spawned processes."""

from collections import Counter
from typing import Any

from litestar.testing import TestClient


def fire(task: tuple[dict[str, Any], str, int]) -> Counter[int]:
    """Builds the API from settings, asks it so many times with a token, and counts the statuses of the answers."""
    from api.app import create
    from infrastructure.bootstrap import build
    from infrastructure.settings import Settings

    told, token, times = task
    application = build(Settings.load(_env_file=None, **told))
    headers = {"Authorization": f"Bearer {token}"}
    try:
        with TestClient(create(application), raise_server_exceptions=False) as client:
            return Counter(client.get("/api/v1/auth/me", headers=headers).status_code for _ in range(times))
    finally:
        application.close()
