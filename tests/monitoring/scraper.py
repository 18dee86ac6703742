"""A real Prometheus with the configuration of deploy/monitoring: its targets here, and in a hurry."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import yaml

from infrastructure.embedded.child import Child, free_port
from tests.faults.stand import eventually
from tests.monitoring.files import CONFIGURATION, RULES, loaded


class Prometheus:
    """Its HTTP API."""

    def __init__(self, url: str) -> None:
        self._client = httpx.Client(base_url=url, timeout=10)

    def get(self, path: str, **parameters: Any) -> Any:
        """What it answers under /api/v1."""
        return self._client.get(f"/api/v1/{path}", params=parameters).raise_for_status().json()["data"]

    def firing(self) -> dict[str, dict[str, Any]]:
        """The alerts that fire, by their names."""
        alerts = self.get("alerts")["alerts"]
        return {each["labels"]["alertname"]: each for each in alerts if each["state"] == "firing"}

    def health(self) -> dict[str, str]:
        """Whether each rule could be evaluated: ok, err, or unknown before it was tried."""
        return {rule["name"]: rule["health"] for group in self.get("rules")["groups"] for rule in group["rules"]}

    def ready(self) -> bool:
        """Whether it works."""
        try:
            return self._client.get("/-/ready").status_code == 200
        except httpx.TransportError:
            return False

    def close(self) -> None:
        """Ends the connections to it."""
        self._client.close()


@contextmanager
def prometheus(programs: Path, ports: Mapping[str, int], token: str, place: Path) -> Iterator[Prometheus]:
    """Runs it in `place`; it scrapes the jobs of `ports`, each second, and alerts don't wait to fire."""
    configuration = written(place, ports, token)
    port = free_port()
    command: list[str | Path] = [
        programs / "prometheus",
        f"--config.file={configuration}",
        f"--storage.tsdb.path={place / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    server, child = Prometheus(f"http://127.0.0.1:{port}"), Child("Prometheus", command, log=place / "prometheus.log")
    try:
        child.start(server.ready)
        yield server
    finally:
        server.close()
        child.stop(within=10)


def written(place: Path, ports: Mapping[str, int], token: str) -> Path:
    """The configuration as it can run here."""
    configuration = loaded(CONFIGURATION)
    configuration["global"] = {"scrape_interval": "1s", "scrape_timeout": "900ms", "evaluation_interval": "1s"}
    del configuration["alerting"]
    (place / "token").write_text(token)
    for job in configuration["scrape_configs"]:
        if "authorization" in job:
            job["authorization"]["credentials_file"] = str(place / "token")
        job.pop("dns_sd_configs", None)
        job["static_configs"] = [{"targets": [f"127.0.0.1:{ports[job['job_name']]}"]}]
    (place / "rules").mkdir()
    for path in RULES:
        (place / "rules" / path.name).write_text(yaml.safe_dump(_hurried(loaded(path))))
    (place / "prometheus.yml").write_text(yaml.safe_dump(configuration))
    return place / "prometheus.yml"


def _hurried(rules: Any) -> Any:
    for group in rules["groups"]:
        for rule in group["rules"]:
            rule.pop("for", None)
    return rules


def soon(check: Callable[[], object]) -> bool:
    """Waits until `check()` is true, as long as a few scrapes take."""
    return eventually(check, within=20)
