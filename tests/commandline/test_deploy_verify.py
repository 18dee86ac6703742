"""`clientforge deploy verify` against what `up` runs: it passes; with a part missing it fails, and says which."""

import json
import re
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
import psycopg
import pyotp
import pytest
from dotenv import dotenv_values

from api.app import OPERATIONS, PREFIX
from api.commandline.probing import answers
from api.commandline.seeding import EMAIL, PASSWORD, PASSWORD_VARIABLE
from api.deployed.access import LogIn, log_in
from api.deployed.asking import Answer, Deployed
from api.deployed.behind import behind
from api.deployed.endpoints import NOT_ASKED, critical, endpoints
from infrastructure.checks.serving import api
from infrastructure.queue_health import Queues
from infrastructure.settings import Settings
from tests.commandline.conftest import Run, done, refused
from tests.commandline.test_up import Up, clientforge, environment
from tests.infrastructure.holes import black_hole, closed_port

pytestmark = pytest.mark.timeout(300)
NO_SETTINGS = dict.fromkeys(("DATABASE_URL", "DATABASE_OWNER_URL", "DATABASE_MONITOR_URL", "JWT_SECRET", "MASTER_KEY"))


@pytest.fixture(scope="module")
def up() -> Iterator[Up]:
    """A whole system on this machine."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        often = {"RATE_LIMIT_LOGIN": "1000 per minute", "RATE_LIMIT_GENERAL": "10000 per minute"}
        started = Up(Path(name, "data"), "--port", "0", **often).ready()
        yield started
        started.end()


@pytest.fixture(scope="module")
def url(up: Up) -> str:
    return f"http://127.0.0.1:{dotenv_values(up.place / 'clientforge.env')['PORT']}"


def verify(up: Up, *arguments: str, password: str = PASSWORD) -> "subprocess.CompletedProcess[str]":
    """The command on the running system's own settings."""
    return subprocess.run(
        clientforge("deploy", "verify", "--json", *arguments, "--data-dir", str(up.place)),
        capture_output=True,
        text=True,
        env=environment(**{PASSWORD_VARIABLE: password}),
        cwd=up.place.parent,
        check=False,
    )


def _loaded(settings: dict[str, str | None]) -> dict[str, Any]:
    """The settings of a file but the owner's URL, as Settings takes them."""
    return {name.lower(): value for name, value in settings.items() if value and name != "DATABASE_OWNER_URL"}


def results(ended: "subprocess.CompletedProcess[str]") -> dict[str, set[str]]:
    """Which checks came out how."""
    found: dict[str, set[str]] = {}
    for each in json.loads(ended.stdout):
        found.setdefault(each["result"], set()).add(each["check"])
    return found


ALL = {
    *("health", "core services", "log-in", "token", "admin", "endpoints", "PostgreSQL migrations"),
    *("queues", "workers", "sweeper", "write", "record", "list", "search", "audit trail", "archiving", "log-out"),
}


def test_a_system_that_runs_passes_again_and_again_and_keeps_no_open_door(up, url):
    for _ in range(2):
        ended = verify(up, "--url", url)
        assert ended.returncode == 0, ended.stdout
        assert results(ended) == {"ok": ALL}

    assert "deploy-verify" in done(up.run("tenant", "list"))
    settings = dotenv_values(up.place / "clientforge.env")
    tenant = next(
        line.split()[1] for line in done(up.run("tenant", "list")).splitlines() if line.startswith("deploy-verify")
    )
    with psycopg.connect(str(settings["DATABASE_URL"])) as connection:
        connection.execute("SELECT use_tenant(%s::uuid)", (tenant,))
        assert connection.execute("SELECT count(*) FROM sessions").fetchone() == (0,)
        assert connection.execute("SELECT count(*) FROM credentials").fetchone() == (0,)
        assert connection.execute("SELECT count(*), count(*) FILTER (WHERE archived) FROM accounts").fetchone() == (
            2,
            2,
        )


def test_verify_services_passes_on_it(up):
    ended = up.run("verify", "services", "--json")
    assert ended.returncode == 0, ended.stdout
    warned = {each["check"]: each["found"] for each in json.loads(ended.stdout) if each["result"] != "ok"}
    warned.pop("Redis latency", None)  # a busy machine has it, and answers late
    if re.search(r" answers in \d+ ms", warned.get("API", "")):
        del warned["API"]
    assert warned.keys() == {"default password", "environment"}
    assert "MAIL_DIRECTORY" in warned["environment"]


def test_a_wrong_password_fails_and_is_tried_once(up, url):
    ended = verify(up, "--url", url, password="Quinces-walk-4-miles")

    assert ended.returncode == 1
    assert results(ended)["failed"] == {"log-in"}
    assert "401 wrong_credentials" in ended.stdout
    assert "Quinces" not in ended.stdout + ended.stderr


def test_an_admin_with_a_second_factor_gives_a_code_of_it(up, url):
    email, password = "two-factors@clientforge.local", "Ferry-and-lantern-77"
    person = {"first_name": "Two", "last_name": "Factors", "email": email, "role": "admin", "password": password}
    with httpx.Client(base_url=url + PREFIX, timeout=20) as client:

        def logged_in(email: str, password: str) -> dict[str, str]:
            answer = client.post("/auth/login", json={"email": email, "password": password})
            return {"Authorization": f"Bearer {answer.json()['access_token']}"}

        made = client.post("/users", json=person, headers=logged_in(EMAIL, PASSWORD))
        assert made.status_code == 201, made.text
        theirs = logged_in(email, password)
        begun = client.post("/auth/second-factor", json={"password": password}, headers=theirs)
        shown = {"code": pyotp.TOTP(begun.json()["secret"]).now()}
        confirmed = client.post("/auth/second-factor/confirm", json=shown, headers=theirs)
        codes = confirmed.json()["recovery_codes"]

    without = verify(up, "--url", url, "--email", email, password=password)
    assert (without.returncode, results(without)["failed"]) == (1, {"log-in"})
    assert "401 second_factor_required" in without.stdout
    assert "--code" in without.stdout
    given = verify(up, "--url", url, "--email", email, "--code", codes[0], password=password)
    assert (given.returncode, results(given)) == (0, {"ok": ALL})


def test_a_url_where_nothing_is_or_nobody_answers_fails_within_seconds(up):
    with black_hole() as silent:
        for at in (closed_port(), silent):
            started = time.monotonic()
            ended = verify(up, "--url", f"http://{at}")
            assert time.monotonic() - started < 30
            assert ended.returncode == 1
            assert results(ended) == {"failed": {"health"}, "skipped": {"all else"}}


def test_with_its_worker_stopped_it_fails_and_says_so(up, url):
    worker = next(each for each in psutil.Process(up.process.pid).children() if "worker" in each.cmdline())
    stopped = [worker, *worker.children(recursive=True)]
    for each in stopped:
        each.send_signal(signal.SIGSTOP)
    try:
        deadline = time.monotonic() + 60
        while up.run("queue", "health").returncode == 0:
            assert time.monotonic() < deadline
            time.sleep(0.5)
        ended = verify(up, "--url", url, "--seconds", "3")
    finally:
        for each in stopped:
            each.send_signal(signal.SIGCONT)

    assert ended.returncode == 1
    assert results(ended)["failed"] == {"workers", "record", "list", "search", "audit trail", "archiving"}
    assert {"write", "log-in", "endpoints", "sweeper"} <= results(ended)["ok"]


def test_without_settings_or_with_those_of_another_system_it_fails(run: Run, url):
    for settings in (NO_SETTINGS, {}):
        ended = run("deploy", "verify", "--json", "--url", url, **{PASSWORD_VARIABLE: PASSWORD}, **settings)
        assert ended.returncode == 1, ended.stdout
        assert results(ended)["failed"] == {"settings"}
        assert {"log-in", "token", "endpoints", "log-out"} <= results(ended)["ok"]
    assert "deploy-verify" not in done(run("tenant", "list"))


def test_the_api_alone_is_asked_when_that_is_said(run: Run, url):
    asked = ("deploy", "verify", "--json", "--http-only", "--url", url)
    ended = run(*asked, **{PASSWORD_VARIABLE: PASSWORD}, **NO_SETTINGS)
    assert ended.returncode == 0, ended.stdout
    assert results(ended)["skipped"] == {"migrations, workers", "write"}
    assert {"log-in", "token", "endpoints", "log-out"} <= results(ended)["ok"]


def test_migrations_are_seen_without_the_role_of_their_owner(up, url):
    settings = dotenv_values(up.place / "clientforge.env")
    found = behind(Settings.load(_env_file=None, database_owner_url=None, **_loaded(settings)))
    assert [each.result for each in found if each.check == "PostgreSQL migrations"] == ["ok"]


def test_behind_a_system_whatever_is_not_well_fails(built, fresh_urls):
    def found(check: str) -> str:
        (line,) = [each for each in behind(built.settings) if each.check == check]
        return f"{line.result}: {line.found}"

    queues = Queues(built.redis, prefix=built.settings.redis_prefix)
    assert found("sweeper") == "failed: it never ran"
    queues.swept()
    assert found("sweeper").startswith("ok")
    built.redis.set(f"{built.settings.redis_prefix}:swept", time.time() - 90)
    assert re.fullmatch("failed: it ran 9[0-9] s ago", found("sweeper"))

    assert found("queues").startswith("ok")
    built.redis.zadd(f"{built.settings.redis_prefix}:projections.XQ", {"a-message": 1_700_000_000_000})
    assert found("queues") == "failed: projections: 1 dead letters"

    assert found("PostgreSQL migrations").startswith("ok")
    with psycopg.connect(fresh_urls.owner, autocommit=True) as owner:
        owner.execute("DELETE FROM _yoyo_migration WHERE migration_id = '0001-event-log'")
    assert found("PostgreSQL migrations") == "failed: 1 migrations are missing, first 0001-event-log"


class Scripted(Deployed):
    """A system whose answers are well but for some, which are named by path and whose token it is."""

    def __init__(self, others: dict[str, int], role: str = "admin", who: str = "nobody") -> None:
        super().__init__("http://127.0.0.1:1")
        self._others, self._role, self._who = others, role, who

    def bearing(self, token: str) -> "Scripted":
        return Scripted(self._others, self._role, token)

    def ask(self, method: str, path: str, body: Any = None, **parameters: Any) -> Answer:
        told = {
            "/auth/login": {"access_token": "original", "refresh_token": "refresh"},
            "/auth/refresh": {"access_token": "renewed"},
            "/auth/me": {"email": "a@b.example", "role": self._role, "tenant": {"id": "1", "subdomain": "acme"}},
        }
        asked = f"{path} {self._who}"
        status = self._others.get(asked, 200 if path != "/auth/me" or self._who in ("original", "renewed") else 401)
        return Answer(status=status, milliseconds=1, why=str(status), body=told[path])


def logged_in(others: dict[str, int], role: str = "admin") -> dict[str, list[str]]:
    """What isn't well of a log-in, by its check."""
    found: dict[str, list[str]] = {}
    with Scripted(others, role) as deployed:
        for each in log_in(deployed, LogIn(email="a@b.example", password="any"))[0]:
            if each.result != "ok":
                found.setdefault(each.check, []).append(f"{each.result}: {each.found}")
    return found


@pytest.mark.parametrize(
    ("others", "found"),
    [
        ({"/auth/me nobody": 200}, "failed: no token isn't refused: 200"),
        ({"/auth/me LANIGIRO": 200}, "failed: an altered token isn't refused: 200"),
        ({"/auth/me original": 401}, "failed: it isn't taken: 401"),
        ({"/auth/me renewed": 401}, "failed: GET /auth/me: 401"),
        ({"/auth/refresh nobody": 503}, "failed: it isn't renewed: 503"),
    ],
)
def test_a_token_that_is_not_as_it_must_be_fails(others, found):
    assert logged_in({}) == {}
    assert logged_in(others) == {"token": [found]}


def test_who_is_no_admin_fails():
    assert logged_in({}, "rep") == {"admin": ["failed: a@b.example is no admin, but rep"]}


@contextmanager
def serving(up: Up, limit: str) -> Iterator[str]:
    """The URL of one more API of the running system, which has another general limit."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    given = {name: value for name, value in dotenv_values(up.place / "clientforge.env").items() if value}
    given |= {"PORT": str(port), "RATE_LIMIT_GENERAL": limit, "RATE_LIMIT_LOGIN": "1000 per minute"}
    process = subprocess.Popen(clientforge("serve"), env=environment(**given), cwd=up.place.parent)
    try:
        deadline = time.monotonic() + 60
        while not answers(f"http://127.0.0.1:{port}/live"):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(60)


def test_a_limit_that_soon_has_room_again_is_waited_for(up):
    with serving(up, "25 per 3 seconds") as url:
        ended = verify(up, "--http-only", "--url", url)
    assert ended.returncode == 0, ended.stdout


def test_a_limit_that_is_used_up_is_told_as_what_it_is(up):
    with serving(up, "20 per 15 minutes") as url:
        first = verify(up, "--url", url, "--seconds", "1")
        again = verify(up, "--url", url, "--seconds", "1")
        warned = [each for each in api(url) if each.result != "ok"]

    assert (first.returncode, again.returncode) == (1, 1)
    assert {"endpoints", "write", "log-out"} <= results(first)["failed"]
    for each in json.loads(first.stdout) + json.loads(again.stdout):
        if each["result"] == "failed":
            assert "over the limit 'general' of 20 in 900 seconds" in each["found"]
            assert re.fullmatch(r"try again in \d+ seconds", each["todo"])
    assert [(each.check, each.result) for each in warned] == [("API documentation", "warning")]
    assert re.fullmatch(r"try again in \d+ seconds", warned[0].todo)


def test_settings_that_lead_nowhere_fail(run: Run, url):
    nowhere = f"postgresql://clientforge_app:kR7tZb2q@{closed_port()}/x"
    ended = run("deploy", "verify", "--json", "--url", url, **{PASSWORD_VARIABLE: PASSWORD}, DATABASE_URL=nowhere)
    assert ended.returncode == 1
    assert results(ended)["failed"] == {"settings"}


def test_the_password_comes_from_a_file_or_a_variable_and_is_needed(run: Run, url, tmp_path):
    assert PASSWORD_VARIABLE in refused(run("deploy", "verify", "--url", url), 2)
    assert "can't be read" in refused(run("deploy", "verify", "--password-file", "missing", "--url", url), 2)

    (tmp_path / "password").write_text(f"{PASSWORD}\n")
    asked = ("deploy", "verify", "--json", "--url", url, "--password-file")
    assert "log-in" in results(run(*asked, "password", **NO_SETTINGS))["ok"]
    assert "log-in" in results(run(*asked, "-", answer=f"{PASSWORD}\n", **NO_SETTINGS))["ok"]


def test_every_list_and_report_is_asked_and_one_that_refuses_fails(url):
    lists = {each.path for each in OPERATIONS if each.method == "GET" and "{" not in each.path}
    asked: dict[str, Any] = dict(critical())
    assert set(asked) == lists - NOT_ASKED
    assert {"/accounts", "/contacts", "/deals", "/search", "/audit", "/analytics/pipeline", "/auth/me"} <= set(asked)

    with Deployed(url) as nobody:
        found = [(each.result, each.found) for each in endpoints(nobody)]
    assert ("failed", "GET /accounts: 401 not_authenticated") in found
    assert len(found) == len(asked)
