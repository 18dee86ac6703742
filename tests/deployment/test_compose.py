"""The compose files: valid, and with nothing in them that isn't there."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pymongo.uri_parser import parse_uri
from typer.testing import CliRunner

from api.commandline.program import app
from infrastructure.settings import Settings
from tests.architecture.sources import ROOT
from tests.deployment.compose import (
    BASE,
    DEPLOY,
    OURS,
    PRODUCTION,
    USUAL_PORTS,
    given_by_files,
    listening,
    loaded,
    mounted_files,
    number,
    production,
    scraped,
    secret_name,
    sources,
    variables,
)
from tests.services import elasticsearch

GIVEN = {"PUBLIC_URL": "https://crm.example.com"}
HOST_FILES = {"/", "/var/run/docker.sock"}
"""What is mounted from the machine itself."""


@pytest.fixture(scope="module")
def system() -> dict[str, Any]:
    """Both files together."""
    return production(GIVEN)


def judged(path: Path) -> "subprocess.CompletedProcess[str]":
    program = Path(sys.executable).parent / "check-jsonschema"
    command = [str(program), "--builtin-schema", "vendor.compose-spec", str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("path", [BASE, PRODUCTION], ids=lambda path: path.name)
def test_a_compose_file_keeps_to_the_specification(path: Path):
    found = judged(path)
    assert found.returncode == 0, found.stdout


def test_both_files_together_keep_to_the_specification(system, tmp_path):
    path = tmp_path / "compose.yaml"
    path.write_text(yaml.safe_dump(system))
    assert judged(path).returncode == 0
    system = {**system, "services": {**system["services"], "api": {"helthcheck": {}}}}
    path.write_text(yaml.safe_dump(system))
    assert judged(path).returncode == 1


def test_every_variable_has_a_default_or_must_be_set_and_is_explained():
    explained = set(re.findall(r"^(?:# )?([A-Z_]+)=", (DEPLOY / ".env.example").read_text(), re.MULTILINE))
    used = [each for path in (BASE, PRODUCTION) for each in variables(path)]
    assert used
    assert [name for name, kind, _ in used if not kind] == []
    passed = {
        name
        for service in loaded(BASE, {})["services"].values()
        for name, value in (service.get("environment") or {}).items()
        if value is None
    }
    assert {name for name, _, _ in used} | passed == explained


def test_the_defaults_that_are_explained_are_those_of_the_files():
    told = dict(re.findall(r"^# ([A-Z_]+)=(.*)$", (DEPLOY / ".env.example").read_text(), re.MULTILINE))
    for path in (BASE, PRODUCTION):
        for name, kind, default in variables(path):
            if kind == "-":
                assert told[name] == default, name


@pytest.mark.parametrize("name", OURS)
def test_each_setting_of_a_service_exists(system, name):
    known = {each.upper() for each in Settings.model_fields} | {"TMPDIR"}
    for variable in system["services"][name]["environment"]:
        assert variable.removesuffix("_FILE") in known or variable in known, variable


NOT_UNDER_COMPOSE = {
    "MAIL_DIRECTORY",  # is for development, and refused in production
    "DRILL_SERVER_URL",  # a drill starts a server of its own
}


def test_every_setting_can_be_set(system):
    passed = {name for each in OURS for name in system["services"][each]["environment"]}
    known = {each.upper() for each in Settings.model_fields}
    assert known - {name.removesuffix("_FILE") for name in passed} - passed == NOT_UNDER_COMPOSE


def test_every_file_with_a_secret_is_one_that_the_service_has_and_the_script_makes(system, secrets_directory):
    made = {path.name for path in secrets_directory.iterdir()}
    declared = {name: Path(told["file"]).name for name, told in system["secrets"].items()}
    brought = {"tls_certificate", "tls_key", "backup_identity"}
    assert set(declared.values()) - made == brought
    for name, service in system["services"].items():
        mounted = dict(map(secret_name, service.get("secrets", [])))
        assert mounted.keys() <= declared.keys(), name
        named = {
            value.removeprefix("/run/secrets/")
            for value in (service.get("environment") or {}).values()
            if isinstance(value, str) and value.startswith("/run/secrets/")
        }
        assert named <= set(mounted.values()), name
    used = {secret_name(each)[0] for service in system["services"].values() for each in service.get("secrets", [])}
    assert used == declared.keys()


def test_elasticsearch_has_its_password_as_a_variable_since_it_refuses_files_that_others_may_read(
    system, secrets_directory
):
    service = system["services"]["elasticsearch"]
    assert not [name for name in service["environment"] if name.endswith("_FILE")]
    password = given_by_files(service, secrets_directory)["ELASTIC_PASSWORD"]
    assert f"//elastic:{password}@" in (secrets_directory / "elasticsearch_url").read_text()


def test_every_secret_that_a_mounted_configuration_reads_is_mounted_too(system):
    for name, service in system["services"].items():
        mounted = {target for _, target in map(secret_name, service.get("secrets", []))}
        for file in mounted_files(service):
            text = file.read_text()
            read = {*re.findall(r"/run/secrets/(\w[\w.]*\w)", text), *re.findall(r'\bsecret\("([^"]*)"\)', text)}
            assert bool(read) == ("/run/secrets/" in text), (name, file.name)
            assert read <= mounted, (name, file.name)


def test_each_user_of_mongodb_has_the_secret_and_the_database_of_who_comes_as_that_user(system, secrets_directory):
    texts = (DEPLOY / "mongodb/users.js").read_text().split("db.getSiblingDB")[1:]
    made = {}
    for text in texts:
        [where] = re.findall(r'^\("(\w+)"\)\.createUser', text)
        [(user, secret)] = re.findall(r'user: "(\w+)",\s+pwd: secret\("(\w+)"\),', text)
        [(role, database)] = re.findall(r'roles: \[\{ role: "(\w+)", db: "(\w+)" \}\]', text)
        made[user] = ((secrets_directory / secret).read_text().strip(), where, role, database)
    ours = parse_uri((secrets_directory / "mongodb_url").read_text().strip())
    exporter = parse_uri(given_by_files(system["services"]["mongodb-exporter"], secrets_directory)["MONGODB_URI"])
    grafana = given_by_files(system["services"]["grafana"], secrets_directory)
    provisioned = yaml.safe_load((DEPLOY / "monitoring/grafana/provisioning/datasources/clientforge.yml").read_text())
    [connection] = [each["jsonData"]["connection"] for each in provisioned["datasources"] if each["name"] == "MongoDB"]
    shown = parse_uri(connection)["database"]
    assert made == {
        ours["username"]: (ours["password"], ours["options"]["authSource"], "readWrite", ours["database"]),
        exporter["username"]: (exporter["password"], exporter["database"], "clusterMonitor", exporter["database"]),
        grafana["GRAFANA_MONGODB_USER"]: (grafana["GRAFANA_MONGODB_PASSWORD"], shown, "read", shown),
    }


def test_whatever_is_mounted_or_built_is_there(system, secrets_directory):
    for name, service in system["services"].items():
        assert all(each.exists() for each in sources(service)), name
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert source.startswith("./") or source in HOST_FILES or source in system["volumes"], volume
            assert source in system["volumes"] or volume.split(":")[2].startswith("ro"), volume
        for network in service["networks"]:
            assert network in system["networks"]
        for file in service.get("env_file", []):
            assert (secrets_directory / Path(file).name).is_file()
        build = service.get("build")
        if build:
            assert (DEPLOY / build["context"] / build["dockerfile"]).is_file()


def test_configurations_are_mounted_where_commands_look_for_them(system):
    for name, service in system["services"].items():
        mounted = {volume.split(":")[1]: volume.split(":")[0] for volume in service.get("volumes", [])}
        words = [*service.get("entrypoint", []), *service.get("command", [])]
        for path in re.findall(r"/[\w/.-]+\.(?:yml|conf|cfg|ini|alloy)\b", " ".join(words)):
            place = max((each for each in mounted if path.startswith(each)), key=len, default=None)
            assert place, (name, path)
            assert (DEPLOY / mounted[place] / path[len(place) :].lstrip("/")).exists(), (name, path)


@pytest.mark.parametrize("name", OURS)
def test_each_command_is_one_of_clientforge(system, name):
    assert "entrypoint" not in system["services"][name]
    answer = CliRunner().invoke(app, [*system["services"][name]["command"], "--help"])
    assert answer.exit_code == 0, answer.output


def test_every_service_is_hardened(system):
    for name, service in system["services"].items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert int(str(service["user"]).split(":")[0]) > 0, name
        assert {"cpus", "memory"} <= service["deploy"]["resources"]["limits"].keys(), name
        assert service["pids_limit"], name
        assert service["logging"]["options"]["max-size"], name
        assert not re.search(r":latest$|^[^:]*$", service["image"]) or name in OURS, name


def test_backups_are_made_without_their_private_key_and_read_what_they_copy(system):
    services = system["services"]
    assert {name for name, service in services.items() if "backup_identity" in service.get("secrets", [])} == {
        "recovery"
    }
    assert "files:/var/lib/clientforge/files:ro" in services["backup"]["volumes"]
    for name in ("backup", "recovery"):
        # Run by a timer or by hand, and never as a part of `up`; nor does a backup migrate the database.
        assert services[name]["profiles"] == [name]
        assert "migrate" not in services[name]["depends_on"]
        mounted = {volume.split(":")[1] for volume in services[name]["volumes"]}
        variables = services[name]["environment"]
        assert {variables[each] for each in ("FILES_DIR", "BACKUP_DIR", "BACKUP_KEYS_DIR")} <= mounted
    assert services["recovery"]["environment"]["TMPDIR"] in {
        volume.split(":")[1] for volume in services["recovery"]["volumes"]
    }


@pytest.mark.parametrize("name", OURS)
def test_volumes_are_mounted_at_directories_of_the_image_that_its_user_owns(system, name):
    [made] = re.findall(r"install --directory --owner=10001 (.*?)&&", (DEPLOY / "Containerfile").read_text(), re.DOTALL)
    for volume in system["services"][name]["volumes"]:
        assert volume.split(":")[1] in made.split(), volume


def test_only_the_proxy_is_reached_from_outside_and_stores_reach_nobody(system):
    published = {name for name, service in system["services"].items() for _ in service.get("ports", [])}
    assert published == {"proxy", "grafana"}
    assert all(port.startswith("127.0.0.1:") for port in system["services"]["grafana"]["ports"])
    for name in ("postgres", "pgbouncer", "redis", "elasticsearch", "mongodb"):
        assert all(system["networks"][each]["internal"] for each in system["services"][name]["networks"]), name
        assert "edge" not in system["services"][name]["networks"], name


def test_only_who_sends_mail_or_alerts_reaches_the_outside(system):
    leading = {name for name, told in system["networks"].items() if not (told or {}).get("internal")}
    reaching = {name for name, service in system["services"].items() if leading & set(service["networks"])}
    assert reaching == {"proxy", "worker", "alertmanager", "grafana"}


def test_the_api_believes_the_one_network_that_it_shares_with_the_proxy():
    own = production({**GIVEN, "EDGE_SUBNET": "10.9.8.0/24"})
    for system in (production(GIVEN), own):
        services = system["services"]
        assert set(services["proxy"]["networks"]) & set(services["api"]["networks"]) == {"edge"}
        [addresses] = system["networks"]["edge"]["ipam"]["config"]
        assert services["api"]["environment"]["TRUSTED_PROXIES"] == addresses["subnet"]
    assert addresses["subnet"] == "10.9.8.0/24"


def test_who_publishes_a_port_is_on_a_network_that_leads_outside(system):
    for name, service in system["services"].items():
        if "ports" in service:
            assert not all((system["networks"][each] or {}).get("internal") for each in service["networks"]), name


def test_prometheus_scrapes_services_that_share_its_network_at_the_ports_at_which_they_answer(system):
    found = scraped()
    services = system["services"]
    assert found.keys() <= services.keys()
    assert {name for name in services if name.endswith("-exporter")} <= found.keys()
    for name in found:
        assert "monitoring" in services[name]["networks"], name
    assert found["api"] == int(services["api"]["environment"]["PORT"])
    assert found["worker"] == int(services["worker"]["environment"]["METRICS_PORT"])
    assert found["sweeper"] == int(services["sweeper"]["environment"]["METRICS_PORT"])


@pytest.mark.parametrize("name", ["api", "worker", "sweeper"])
def test_health_checks_ask_at_the_port_at_which_the_service_listens(system, name):
    service = system["services"][name]
    port = service["environment"]["PORT" if name == "api" else "METRICS_PORT"]
    *command, url = service["healthcheck"]["test"]
    assert command == ["CMD", "python", "-m", "api.commandline.probing"]
    assert url.startswith(f"http://127.0.0.1:{port}/")


def test_the_exporter_of_redis_finds_its_password_under_the_address_with_its_user(system, secrets_directory):
    told = system["services"]["redis-exporter"]["environment"]
    address = told["REDIS_ADDR"].replace("://", f"://{told['REDIS_USER']}@")
    passwords = json.loads((secrets_directory / "redis_exporter_passwords").read_text())
    assert passwords == {address: (secrets_directory / "redis_exporter_password").read_text().strip()}


def told(service: dict[str, Any], secrets: Path) -> Iterator[str]:
    """Whatever a service is told: by words, variables, secrets and configurations."""
    yield from map(str, (*service.get("entrypoint", []), *service.get("command", [])))
    yield from (str(value) for value in (service.get("environment") or {}).values())
    yield from given_by_files(service, secrets).values()
    files = [secrets / secret_name(each)[0] for each in service.get("secrets", [])]
    for path in (*filter(Path.exists, files), *mounted_files(service)):
        yield path.read_text()


def addresses(service: dict[str, Any], secrets: Path) -> set[tuple[str, int]]:
    """The hosts and ports that a service is told."""
    text = "\n".join(told(service, secrets))
    found = re.findall(r"(?<![\w.-])([a-z][\w-]*):(\d{2,5})\b", text) + re.findall(r"host=(\S+) port=(\d+)", text)
    return {(host, int(port)) for host, port in found}


def test_whom_a_service_asks_is_one_that_listens_there_on_a_network_of_both(system, secrets_directory):
    services, ports = system["services"], listening(system["services"])
    assert ports.keys() | {"migrate", "backup", "recovery"} == services.keys()
    asked = {name: addresses(service, secrets_directory) for name, service in services.items()}
    for name, found in asked.items():
        for host, port in found:
            assert port in ports.get(host, ()), (name, host, port)
            assert set(services[name]["networks"]) & set(services[host]["networks"]), (name, host)
    stores = {"pgbouncer", "redis", "elasticsearch", "mongodb"}
    wanted = {
        **dict.fromkeys(("api", "worker", "sweeper"), stores),
        **dict.fromkeys(("migrate", "backup", "recovery"), stores | {"postgres"}),
        "proxy": {"api"},
        "pgbouncer": {"postgres"},
        "prometheus": {"alertmanager", *set(scraped()) - {"api", "worker", "sweeper"}},
        "grafana": {"prometheus", "loki", "mongodb"},
        "alloy": {"loki"},
        **{f"{each}-exporter": {each} for each in ("postgres", "redis", "elasticsearch", "mongodb")},
    }
    assert {name: {host for host, _ in found} for name, found in asked.items() if found} == wanted


def test_who_listens_at_the_usual_port_is_told_no_other(system):
    for name in USUAL_PORTS:
        service = system["services"][name]
        words = [*service.get("entrypoint", []), *service.get("command", []), *(service.get("environment") or {})]
        assert not [each for each in words if re.search(r"(?i)(\b|_|-c)port\b|listen|^-p", each)], name


def test_a_port_is_published_at_which_the_service_listens(system):
    ports = listening(system["services"])
    for name, service in system["services"].items():
        assert {int(each.split(":")[-1]) for each in service.get("ports", [])} <= ports.get(name, set()), name


def test_elasticsearch_is_the_version_that_the_tests_run(system):
    assert system["services"]["elasticsearch"]["image"].endswith(f":{elasticsearch.VERSION}")
    pom = (Path(elasticsearch.__file__).parent / "pom.xml").read_text()
    assert f"<elasticsearch.version>{elasticsearch.VERSION}</elasticsearch.version>" in pom


def test_a_stop_waits_for_what_the_processes_finish(system):
    services = system["services"]
    assert seconds(services["api"]) > float(services["api"]["environment"]["DRAIN_SECONDS"]) + 15
    assert seconds(services["worker"]) > 60


def test_an_upgrade_by_hand_waits_as_long_as_a_stop_does(system):
    [steps] = re.findall(r"^3\. Stop each old one.*\n4\. .*", (ROOT / "docs/deployment.md").read_text(), re.MULTILINE)
    told = [int(each) for each in re.findall(r"--time (\d+)", steps)]
    assert told == [seconds(system["services"][name]) for name in ("api", "worker")]


def seconds(service: dict[str, Any]) -> int:
    return int(service["stop_grace_period"].removesuffix("s"))


def test_pgbouncer_pools_transactions_and_keeps_prepared_statements_apart(system):
    ini = (DEPLOY / "pgbouncer/pgbouncer.ini").read_text()
    assert "pool_mode = transaction" in ini
    assert number(r"max_prepared_statements = (\d+)", ini) > 0
    assert number(r":v1\.(\d+)", system["services"]["pgbouncer"]["image"]) >= 21
    most = number(r"max_connections=(\d+)", " ".join(system["services"]["postgres"]["command"]))
    assert 2 * number(r"default_pool_size = (\d+)", ini) < most


def test_secrets_are_kept_out_of_the_repository():
    ignored = (ROOT / ".gitignore").read_text().splitlines()
    assert {"/deploy/secrets/", "/deploy/.env"} <= set(ignored)
