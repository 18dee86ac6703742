"""The health checks of deploy/'s services that bash makes, run on this machine."""

import subprocess

from tests.deployment.compose import production


def is_healthy(service: str, there: int, here: int) -> bool:
    """What a service's own health check says of a process that listens at `here`, and in its container at `there`."""
    _, *command, script = production({})["services"][service]["healthcheck"]["test"]
    assert f"127.0.0.1/{there} " in script
    script = script.replace(f"127.0.0.1/{there} ", f"127.0.0.1/{here} ")
    return subprocess.run([*command, script], capture_output=True, timeout=20, check=False).returncode == 0
