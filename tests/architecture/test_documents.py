"""What the documents name is there."""

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from api.commandline.program import app
from infrastructure.settings import Settings
from tests.architecture.commands_named import calls, wrong
from tests.architecture.documents import DOCUMENTS, anchors, code, links
from tests.architecture.names import (
    variables_of_compose,
    wrong_metrics,
    wrong_routes,
    wrong_services,
    wrong_words,
)
from tests.architecture.sources import ROOT

# The walk makes its files, and the test of the walk looks after them.
MADE_BY_A_WALK = {ROOT / "docs" / "adding-an-entity.md"}
# Read by the shell, a library, the program itself or the tests: not by Settings.
FOREIGN = frozenset(
    {
        "CLIENTFORGE_ADMIN_PASSWORD",
        "CLIENTFORGE_DATA_DIR",
        "CLIENTFORGE_TRACEBACK",
        "COMPOSE_FILE",
        "GRAFANA_MONGODB_PASSWORD",
        "GRAFANA_MONGODB_USER",
        "NAME_FILE",
        "SSL_CERT_FILE",
        "TAKES_OVER",
    }
)
# Words in capitals, written as settings are, that are none: of HTTP and SQL, of make, and placeholders.
FOREIGN_WORDS = frozenset(
    {"GET", "POST", "PUT", "PATCH", "DELETE", "JSON", "NAME", "DIR", "ARGS", "PYTEST", "UPGRADE", "TMPDIR", "PGUSER"}
    | {"CLUSTER", "DO", "LOCK", "LOGGED", "MERGE", "RECONNECT", "RENAME", "TRUNCATE", "UNLOGGED", "UPDATE", "WITH"}
)
# A test of monitoring holds its table against the running system.
METRICS = re.findall(r"^\| `(clientforge_\w+)", (ROOT / "docs" / "monitoring.md").read_text(), re.MULTILINE)
_PATH = re.compile(r"`((?:domain|application|projections|infrastructure|api|tests|docs|deploy)/[\w./-]+)`")
_SETTING = re.compile(r"(?<![\w$/{.])[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+(?![\w(])")
_COMMAND = re.compile(r"clientforge ([a-z]+(?: [a-z][a-z-]*)?)")

each_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)


@each_document
def test_links_lead_somewhere(document: Path):
    broken = [path for path, _ in links(document.read_text()) if not (document.parent / path).exists()]

    assert not broken


@each_document
def test_links_lead_to_a_heading_that_is_there(document: Path):
    broken = [
        f"{path}#{anchor}"
        for path, anchor in links(document.read_text())
        if anchor and anchor not in anchors(document.parent / path if path else document)
    ]

    assert not broken


@each_document
def test_named_files_exist(document: Path):
    if document in MADE_BY_A_WALK:
        return
    missing = [name for name in _PATH.findall(document.read_text()) if not (ROOT / name).exists()]

    assert not missing


def test_every_setting_is_explained_in_the_example():
    example = (ROOT / ".env.example").read_text()

    assert [name for name in Settings.model_fields if f"{name.upper()}=" not in example] == []


def test_every_command_that_is_named_exists():
    named = {
        command
        for document in DOCUMENTS
        for line in document.read_text().splitlines()
        for command in _COMMAND.findall(line)
    }
    runner = CliRunner()

    def is_there(command: str) -> bool:
        return runner.invoke(app, [*command.split(), "--help"]).exit_code == 0

    assert [command for command in sorted(named) if not is_there(command)] == []


@each_document
def test_commands_in_code_have_the_options_that_they_are_shown_with(document: Path):
    found = [fault for line in code(document.read_text()) for call in calls(line) for fault in wrong(call)]

    assert not found


def test_a_deployment_is_verified_as_somebody_whose_password_reaches_the_container():
    text = (ROOT / "docs" / "deployment.md").read_text()
    shown = [line for line in code(text) if "docker compose exec" in line and "deploy verify" in line]

    assert len(shown) == 2
    for line in shown:
        before, _, after = line.partition("clientforge deploy verify ")
        assert "-e CLIENTFORGE_ADMIN_PASSWORD api" in before
        assert {"--url", "--tenant", "--email"} <= set(after.split())


@pytest.mark.parametrize(
    ("line", "faults"),
    [
        ("clientforge queue health", []),
        ("17 2 * * * clientforge queue heal && clientforge events verify --fast", ["queue heal", "verify --fast"]),
        ("clientforge --data-dir D queue clear-dlq --yes | tail -2 --hurry", []),
        ("clientforge queue list-dlq|retry-dlq|drop-dlq", ["queue drop-dlq"]),
        ("clientforge nothing", ["clientforge nothing"]),
        ("clientforge queue health surplus-word", ["health surplus-word"]),
        ("clientforge projections rebuild search 2>&1", []),
        ("clientforge logs [FILE] [--process serve|worker|nosuchprocess] --last N", ["logs --process nosuchprocess"]),
        ("clientforge logs --last 3 --process nosuchprocess", ["logs --process nosuchprocess"]),
        ("clientforge COMMAND --help", []),
    ],
)
def test_a_command_that_is_not_there_is_found(line, faults):
    found = [fault for call in calls(line) for fault in wrong(call)]

    assert [fault.split("clientforge ")[-1] for fault in found] == [each.split("clientforge ")[-1] for each in faults]


def rows(name: str) -> list[list[str]]:
    """The cells of each row of a document's tables that say a command for each point."""
    text = (ROOT / "docs" / name).read_text()
    tables = re.findall(r"^\| (?:point|what) \| command \|.*\n\|---.*\n((?:\|.*\n)+)", text, re.MULTILINE)
    lines = [line for table in tables for line in table.splitlines()]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


WITHOUT = {"checklist.md": {"Penetration test"}, "maintenance.md": {"Penetration test", "Slow statements", "Secrets"}}
"""What people do, or what takes the steps of another document, to which the row leads."""


@pytest.mark.parametrize("name", WITHOUT)
def test_each_point_says_the_command_that_checks_it(name):
    found = rows(name)
    assert len(found) > 15
    assert {point for point, command, _ in found if "`" not in command} == WITHOUT[name]


def test_the_checklist_has_every_point_that_was_promised():
    points = {point for point, *_ in rows("checklist.md")}
    assert points >= {
        *("Default passwords are changed", "JWT_SECRET is strong", "TLS", "Rate limits, and the proxy's address"),
        *("Log rotation and retention", "Backups", "Disaster recovery is tested", "Alerts reach people"),
        *("Security headers", "Penetration test"),
    }


@each_document
def test_settings_that_are_named_can_be_set(document: Path):
    if document in MADE_BY_A_WALK:
        return
    named = set(_SETTING.findall(document.read_text()))
    known = {name.upper() for name in Settings.model_fields} | FOREIGN | variables_of_compose()
    unknown = {name for name in named if name not in known and name.removesuffix("_FILE") not in known}

    assert not unknown


def test_no_name_is_called_foreign_that_no_document_has():
    named = {name for document in DOCUMENTS for name in _SETTING.findall(document.read_text())}

    assert FOREIGN - named == set()


@each_document
def test_words_that_are_written_as_settings_are_can_be_set(document: Path):
    if document in MADE_BY_A_WALK:
        return
    text = document.read_text()

    assert wrong_words(text, code(text), FOREIGN_WORDS | variables_of_compose()) == set()


@each_document
def test_routes_that_are_named_answer(document: Path):
    if document in MADE_BY_A_WALK:
        return
    assert [fault for line in code(document.read_text()) for fault in wrong_routes(line)] == []


@each_document
def test_metrics_that_are_named_are_measured(document: Path):
    assert wrong_metrics(document.read_text(), METRICS) == set()


@each_document
def test_services_that_are_named_are_in_a_compose_file(document: Path):
    assert [fault for line in code(document.read_text()) for fault in wrong_services(line)] == []


@each_document
def test_commands_that_need_more_than_a_checkout_say_how_they_are_run(document: Path):
    """On a machine whose stores are in containers, and in production, where /metrics asks for a token."""
    lines = [line for line in code(document.read_text()) if "curl" in line]
    reached = any(re.search(r"\$(API|ELASTICSEARCH_URL)/", line) for line in lines)
    if document.parent.name == "docs" and reached:
        assert "#how-the-commands-are-run" in document.read_text()
    assert [line for line in lines if "$API/metrics" in line and "$METRICS_TOKEN" not in line] == []


@pytest.mark.parametrize(
    ("line", "faults"),
    [
        ("POST /auth/login", []),
        ("PATCH /api/v1/deals/{id}", []),
        ("curl -s $API/api/v1/auth/lgoin", ["/api/v1/auth/lgoin"]),
        ("/auth/lgoin", ["/auth/lgoin"]),
        ("POST /nothing/here", ["POST /nothing/here"]),
        ("PUT /auth/login", ["PUT /auth/login"]),
        ("curl http://127.0.0.1:3000/ready", []),
        ("/var/lib/clientforge", []),
    ],
)
def test_a_route_that_is_not_there_is_found(line, faults):
    assert list(wrong_routes(line)) == faults


def test_a_setting_a_metric_or_a_service_that_is_not_there_is_found():
    lines = ["HOST", "NOSUCHSETTING", "PORT=3000 OTHER=1", "TOKEN=x"]
    assert wrong_words("… $TOKEN", lines, set()) == {"NOSUCHSETTING", "OTHER"}
    text = (
        "`clientforge_workers` `clientforge_nothing_total` clientforge_app, grep clientforge_pool_ or clientforge_nil_"
    )
    assert wrong_metrics(text, METRICS) == {"clientforge_nothing_total", "clientforge_nil_"}
    line = "docker compose -f a.yaml exec -e NAME api clientforge; docker compose logs worker nosuchservice | less"
    assert list(wrong_services(line)) == ["logs nosuchservice"]
    assert list(wrong_services("docker compose exec nosuchservice sh")) == ["exec nosuchservice"]


@each_document
def test_targets_of_make_exist(document: Path):
    targets = set(re.findall(r"^([a-z-]+(?: [a-z-]+)*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    there = {name for line in targets for name in line.split()}
    named = {
        name for line in code(document.read_text()) for name in re.findall(r"(?:^|&& |\$ )make ([a-z][a-z-]*)", line)
    }

    assert named - there == set()
