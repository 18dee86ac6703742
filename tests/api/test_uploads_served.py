"""Files through a real server: in constant memory, killed in the middle, and with clients that behave badly."""

import hashlib
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil
import pytest

from tests.api.served import Served, serving
from tests.api.stand import API, Company, problem
from tests.api.uploads import PNG, on_disk, stored

MB = 1_000_000
SIZE = 200 * 1024 * 1024
HEAD = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n'
TAIL = b"\r\n--b--\r\n"


@pytest.fixture(scope="module")
def served(api_settings, application, tmp_path_factory) -> Iterator[Served]:
    """A server that takes large files, and is soon out of patience."""
    place = tmp_path_factory.mktemp("served")
    others = {"LARGEST_FILE_BYTES": str(300 * MB), "REQUEST_BODY_SECONDS": "2", "SLOWEST_UPLOAD": "100000"}
    with serving(api_settings, place, **others) as served:
        yield served


@pytest.fixture(scope="module")
def account(acme) -> str:
    return acme.rep.makes("/accounts", {"name": "Analytical Engines"})


@pytest.fixture
def root(api_settings) -> Path:
    return api_settings.files_dir


def bearer(company: Company) -> dict[str, str]:
    return {"Authorization": f"Bearer {company.rep.token}"}


def form(size: int) -> Iterator[bytes]:
    """A file of so many bytes in a form, in pieces."""
    yield HEAD
    yield from content(size)
    yield TAIL


def content(size: int) -> Iterator[bytes]:
    yield PNG
    left, piece = size - len(PNG), bytes(range(256)) * 256
    while left > 0:
        yield piece[:left]
        left -= len(piece)


def upload(served: Served, company: Company, account: str, body) -> httpx.Response:
    return httpx.post(
        f"{served.url}{API}/files",
        params={"entity": "account", "record": account},
        headers={**bearer(company), "Content-Type": "multipart/form-data; boundary=b"},
        content=body,
        timeout=120,
    )


@contextmanager
def at_most(process: psutil.Process, more: int) -> Iterator[None]:
    """Within, a process needs at most so many bytes more than before."""
    before, seen, done = process.memory_info().rss, [0], threading.Event()

    def look() -> None:
        while not done.wait(0.005):
            seen[0] = max(seen[0], process.memory_info().rss)

    looking = threading.Thread(target=look)
    looking.start()
    try:
        yield
    finally:
        done.set()
        looking.join()
    assert seen[0] - before < more, f"{(seen[0] - before) / MB:.0f} MB more"


def test_a_large_file_passes_in_little_memory_both_ways(served, acme, account):
    assert upload(served, acme, account, form(3 * MB)).status_code == 201
    [worker] = served.workers()
    with at_most(worker, 32 * MB):
        answer = upload(served, acme, account, form(SIZE))
    assert answer.status_code == 201, answer.text
    wanted, got, size = hashlib.sha256(), hashlib.sha256(), 0
    for piece in content(SIZE):
        wanted.update(piece)
    where = f"{served.url}{answer.headers['location']}/content"
    with at_most(worker, 32 * MB), httpx.stream("GET", where, headers=bearer(acme), timeout=120) as sent:
        assert sent.headers["etag"] == f'"{wanted.hexdigest()}"'
        for piece in sent.iter_raw():
            got.update(piece)
            size += len(piece)
            if size < 2 * MB:
                time.sleep(0.05)  # the server waits, and collects nothing meanwhile
    assert (size, got.hexdigest()) == (SIZE, wanted.hexdigest())
    head = httpx.head(where, headers=bearer(acme))
    assert (head.status_code, head.headers["content-length"], head.content) == (200, str(SIZE), b"")


def begin(served: Served, company: Company, account: str, *headers: str) -> socket.socket:
    """A connection on which an upload has begun."""
    connection = socket.create_connection(served.address, timeout=30)
    lines = [
        f"POST {API}/files?entity=account&record={account} HTTP/1.1",
        "Host: x",
        f"Authorization: Bearer {company.rep.token}",
        "Content-Type: multipart/form-data; boundary=b",
        *headers,
    ]
    connection.sendall("\r\n".join([*lines, "", ""]).encode())
    return connection


def told(connection: socket.socket) -> bytes:
    """All that is answered until the connection ends or nothing comes any more."""
    answer = b""
    try:
        while piece := connection.recv(10_000):
            answer += piece
            if b"}" in piece:
                break
    except OSError:
        pass
    return answer


def soon(condition) -> None:
    """Returns when it holds."""
    deadline = time.monotonic() + 15
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def pending(root: Path, company: Company) -> list[Path]:
    return [path for path in on_disk(root, company.profile.id) if "pending" in path.parts]


@pytest.fixture
def nothing_left(acme, root) -> Iterator[None]:
    """Soon after the test, all is as it was before it."""
    before, events, used = on_disk(root, acme.profile.id), head(acme), stored(acme)
    yield
    soon(lambda: on_disk(root, acme.profile.id) == before)
    assert (head(acme), stored(acme)) == (events, used)


def head(company: Company) -> int:
    return company.application.store.head(company.profile.id)


@pytest.mark.usefixtures("nothing_left")
def test_a_client_that_hangs_up_leaves_nothing(served, acme, account, root):
    with begin(served, acme, account, "Content-Length: 5000000") as connection:
        connection.sendall(HEAD + PNG + b"\0" * MB)
        soon(lambda: any(path.stat().st_size for path in pending(root, acme)))
    with begin(served, acme, account, "Transfer-Encoding: chunked") as connection:
        connection.sendall(b"%x\r\n%s\r\n" % (len(HEAD), HEAD))
        soon(lambda: pending(root, acme))


@pytest.mark.usefixtures("nothing_left")
def test_a_client_that_says_more_than_it_sends_is_told_so_in_time(served, acme, account):
    with begin(served, acme, account, "Content-Length: 5000000") as connection:
        began = time.monotonic()
        connection.sendall(HEAD + PNG + TAIL)
        answer = told(connection)
        assert b"408" in answer.splitlines()[0], answer
        assert b'"too_slow"' in answer
        assert 1 < time.monotonic() - began < 10


@pytest.mark.usefixtures("nothing_left")
def test_a_client_that_sends_more_than_it_says_has_sent_no_whole_form(served, acme, account):
    with begin(served, acme, account, f"Content-Length: {len(HEAD + PNG)}") as connection:
        connection.sendall(HEAD + PNG + b"\0" * 1000 + TAIL)
        answer = told(connection)
        assert b"400" in answer.splitlines()[0], answer
        assert b'"malformed_upload"' in answer


@pytest.mark.usefixtures("nothing_left")
def test_a_client_that_dawdles_is_cut_off_whatever_it_sends_in_between(served, acme, account):
    with begin(served, acme, account, "Content-Length: 5000000") as connection:
        began = time.monotonic()
        connection.sendall(HEAD + PNG)
        connection.settimeout(0.2)
        answer = b""
        while not answer and time.monotonic() - began < 15:
            connection.sendall(b"\0" * 100)
            answer = told(connection)
        assert b'"too_slow"' in answer
        assert time.monotonic() - began < 10


def test_a_steady_client_may_take_longer_than_other_bodies(served, acme, account):
    def pieces() -> Iterator[bytes]:
        yield HEAD
        for piece in content(2 * MB):
            time.sleep(0.1)  # 31 of them: more than the two seconds that any body has
            yield piece
        yield TAIL

    assert upload(served, acme, account, pieces()).status_code == 201


@pytest.mark.usefixtures("nothing_left")
@pytest.mark.parametrize("announced", [True, False])
def test_a_file_that_is_too_large_is_not_taken_in(served, acme, account, announced):
    if announced:
        with begin(served, acme, account, f"Content-Length: {400 * MB}") as connection:
            answer = told(connection)
        assert b'"file_too_large"' in answer
        return
    with begin(served, acme, account, "Transfer-Encoding: chunked") as connection:
        connection.sendall(b"%x\r\n%s\r\n" % (len(HEAD), HEAD))
        try:
            for _ in range(400):
                connection.sendall(b"%x\r\n%s\r\n" % (MB, b"\0" * MB))
        except OSError:
            pass
        assert b'"file_too_large"' in told(connection)


def test_nobody_is_waited_for_who_may_not_upload(served, acme, account, root):
    """Without a token, as a viewer, or with another's record: the answer comes before the body does."""
    before = on_disk(root, acme.profile.id)
    for token, record, code in (
        ("", account, b"not_authenticated"),
        (acme.viewer.token, account, b"forbidden"),
        (acme.rep.token, str(acme.profile.id), b"unknown_reference"),
    ):
        with socket.create_connection(served.address, timeout=30) as connection:
            lines = [
                f"POST {API}/files?entity=account&record={record} HTTP/1.1",
                "Host: x",
                *([f"Authorization: Bearer {token}"] if token else []),
                "Content-Type: multipart/form-data; boundary=b",
                f"Content-Length: {100 * MB}",
            ]
            connection.sendall("\r\n".join([*lines, "", ""]).encode())
            assert code in told(connection)
    assert on_disk(root, acme.profile.id) == before


@pytest.fixture
def patient(api_settings, tmp_path) -> Iterator[Served]:
    """A server of few threads that waits longer for slow clients than any test takes."""
    with serving(api_settings, tmp_path, REQUEST_BODY_SECONDS="120", API_THREADS="4") as served:
        yield served


def test_slow_uploads_hold_no_thread(patient, acme, account):
    slow = [begin(patient, acme, account, "Content-Length: 5000000") for _ in range(8)]
    try:
        for each in slow:
            each.sendall(HEAD + PNG)
        where = f"{patient.url}{API}/accounts/{account}"
        assert httpx.get(where, headers=bearer(acme), timeout=60).status_code == 200
        answer = upload(patient, acme, account, form(1000))
        problem(answer, 429, "too_many_at_once")
    finally:
        for each in slow:
            each.close()


def test_a_file_that_was_damaged_on_disk_is_never_sent_whole(served, acme, account, root):
    for damage in (b"\x01", b""):
        answer = upload(served, acme, account, form(3 * MB))
        [path] = [each for each in on_disk(root, acme.profile.id) if each.name == answer.json()["id"]]
        raw = path.read_bytes()
        path.write_bytes(raw[:MB] + damage + raw[MB + 1 :])
        where = f"{served.url}{answer.headers['location']}/content"
        if damage:
            with pytest.raises(httpx.RemoteProtocolError):
                httpx.get(where, headers=bearer(acme))
        else:
            problem(httpx.get(where, headers=bearer(acme)), 500, "internal_error")


def test_a_client_that_goes_in_the_middle_of_a_file_costs_nothing_more(served, acme, account):
    answer = upload(served, acme, account, form(30 * MB))
    where = f"{served.url}{answer.headers['location']}/content"
    [worker] = served.workers()
    with httpx.stream("GET", where, headers=bearer(acme)) as sent:
        next(sent.iter_raw())
    file = answer.json()["id"]
    soon(lambda: file not in str(worker.open_files()))


def test_a_server_that_is_killed_in_mid_upload_leaves_nothing_that_nobody_owns(
    served, acme, account, root, application
):
    """The last test of this file: it leaves no server."""
    before, events = on_disk(root, acme.profile.id), head(acme)
    with begin(served, acme, account, "Content-Length: 9000000") as connection:
        connection.sendall(HEAD + PNG + b"\0" * 5 * MB)
        soon(lambda: any(path.stat().st_size > MB for path in pending(root, acme)))
        [half] = pending(root, acme)
        # While its upload is under way, no sweep touches it.
        assert application.filing.clear_leftovers(0) == 0
        for each in (*served.workers(), psutil.Process(served.process.pid)):
            os.kill(each.pid, signal.SIGKILL)
        served.process.wait(30)

    assert acme.rep.get(f"/files/{half.name}/content").status_code == 404
    assert [each for each in on_disk(root, acme.profile.id) if each not in before] == [half]
    assert application.filing.clear_leftovers(3600) == 0
    assert application.filing.clear_leftovers(0) == 1
    assert on_disk(root, acme.profile.id) == before
    assert head(acme) == events
