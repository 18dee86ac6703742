"""The last way to a service: a container, where a Docker engine answers."""

import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Self

from infrastructure.embedded import Child, free_port
from tests.services.availability import Unavailable

ELASTICSEARCH = "elasticsearch:9.5.3"
MONGODB = "mongo:8"


def docker_runs() -> bool:
    """Whether an engine answers."""
    if shutil.which("docker") is None:
        return False
    try:
        answer = subprocess.run(["docker", "info"], capture_output=True, check=False, timeout=20)
    except subprocess.TimeoutExpired:
        return False
    return answer.returncode == 0


def container(
    image: str,
    port: int,
    directory: Path,
    *,
    scheme: str,
    answers: Callable[[str], bool],
    environment: Mapping[str, str],
    otherwise: Unavailable,
) -> "Container":
    """A container of `image`; without an engine, `otherwise` is raised with that said."""
    if not docker_runs():
        raise Unavailable(f"no Docker engine runs, and {otherwise}")
    return Container(image, port, directory, scheme=scheme, answers=answers, environment=environment)


class Container:
    """A container that ends with this process: its client passes the signal on."""

    def __init__(
        self,
        image: str,
        port: int,
        directory: Path,
        *,
        scheme: str,
        answers: Callable[[str], bool],
        environment: Mapping[str, str],
    ) -> None:
        self._image = image
        self._inner_port = port
        self._directory = directory
        self._scheme = scheme
        self._answers = answers
        self._environment = environment
        self._child: Child | None = None
        self.url = ""

    def __enter__(self) -> Self:
        self._directory.mkdir(parents=True, exist_ok=True)
        port = free_port()
        self.url = f"{self._scheme}://127.0.0.1:{port}"
        variables = [part for name, value in self._environment.items() for part in ("--env", f"{name}={value}")]
        publish = ["--publish", f"127.0.0.1:{port}:{self._inner_port}"]
        docker = shutil.which("docker") or "docker"
        command = [docker, "run", "--rm", "--init", "--sig-proxy=true", *publish, *variables, self._image]
        self._child = Child(self._image, command, log=self._directory / "server.log", directory=self._directory)
        self._child.start(lambda: self._answers(self.url), within=600)
        return self

    def __exit__(self, *_: object) -> None:
        if self._child is not None:
            self._child.stop(within=30)
