"""Uploads that aren't as they should be: each is told what is wrong, and nothing of it is left."""

from collections.abc import Iterator

import pytest

from infrastructure.settings import FILE_TYPES
from tests.api.doors import at, opened
from tests.api.stand import pointers, problem
from tests.api.uploads import PDF, PNG, attach, attached, on_disk, stored

LINE = "----boundary"
HEAD = f'--{LINE}\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\n'
WRONG_LENGTH = "Content-Length: 5\r\nContent"
TAIL = f"\r\n--{LINE}--\r\n"


@pytest.fixture(scope="module")
def account(acme) -> str:
    return acme.rep.makes("/accounts", {"name": "Analytical Engines"})


@pytest.fixture
def nothing_left(acme, api_settings) -> Iterator[None]:
    """Whatever happens in the test, it leaves neither bytes nor an event nor a count."""
    before, events = on_disk(api_settings.files_dir, acme.profile.id), acme.application.store.head(acme.profile.id)
    used = stored(acme)
    yield
    assert on_disk(api_settings.files_dir, acme.profile.id) == before
    assert acme.application.store.head(acme.profile.id) == events
    assert stored(acme) == used


def send(person, record, body, kind=f"multipart/form-data; boundary={LINE}"):
    """A body as it stands, in one piece or several."""
    where = {"entity": "account", "record": record}
    return person.ask("POST", "/files", params=where, content=body, headers={"Content-Type": kind})


@pytest.mark.usefixtures("nothing_left")
@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("", "malformed_upload"),
        ("x", "malformed_upload"),
        (HEAD, "malformed_upload"),
        (f"{HEAD}abc", "malformed_upload"),
        (f"{HEAD}abc\r\n--{LINE}\r\n", "malformed_upload"),
        (f"{HEAD.replace('form-data', 'attachment')}abc{TAIL}", "malformed_upload"),
        (f"{HEAD.replace('Content', WRONG_LENGTH)}abc{TAIL}", "malformed_upload"),
        (f"{HEAD.replace('a.txt', 'a' * 9000)}abc{TAIL}", "malformed_upload"),
        (f"{HEAD}abc{TAIL}".encode().replace(b"a.txt", b"\xff\xfe"), "malformed_upload"),
        (f"--{LINE}--\r\n", "invalid_request"),
        (f"{HEAD.partition('; filename')[0]}\r\n\r\nabc{TAIL}", "invalid_request"),
        (f"{HEAD.replace('a.txt', '')}abc{TAIL}", "invalid_request"),
        (f"{HEAD.replace('file', 'other', 1)}abc{TAIL}", "invalid_request"),
        (f"{HEAD}abc\r\n{HEAD}def{TAIL}", "invalid_request"),
        (f"{HEAD}{TAIL}", "invalid_value"),
    ],
)
def test_a_form_that_is_none_or_has_more_than_a_file_is_refused(acme, account, body, code):
    answer = send(acme.rep, account, body)
    problem(answer, {"malformed_upload": 400}.get(code, 422), code)


@pytest.mark.usefixtures("nothing_left")
@pytest.mark.parametrize(
    "kind", ["application/json", "multipart/form-data", "multipart/mixed; boundary=a", "text/plain", ""]
)
def test_another_body_is_refused(acme, account, kind):
    problem(send(acme.rep, account, f"{HEAD}abc{TAIL}", kind), 415, "unsupported_media_type")


@pytest.mark.usefixtures("nothing_left")
def test_a_file_that_is_too_large_is_refused_whether_its_size_is_said_or_not(application, acme, account):
    with opened(application, largest_file_bytes=300_000) as client:
        rep = at(client, acme.rep)
        told = problem(attach(rep, account, b"a" * 300_001), 413, "file_too_large")
        assert told["details"] == {"largest": 300_000}
        pieces = (piece for piece in (HEAD.encode(), *[b"a" * 10_000] * 31, TAIL.encode()))
        answer = send(rep, account, pieces)
        assert "content-length" not in answer.request.headers
        problem(answer, 413, "file_too_large")
        problem(send(rep, account, b"a" * 400_000), 413, "file_too_large")
        # What surrounds the file is bounded, too.
        around = (piece for piece in (HEAD.encode(), b"abc", TAIL.encode(), *[b"a" * 10_000] * 40))
        problem(send(rep, account, around), 413, "file_too_large")


def test_what_follows_the_forms_end_means_nothing(acme, account):
    for pieces in ((f"{HEAD}abc{TAIL}and more".encode(),), (f"{HEAD}abc{TAIL}".encode(), b"and", b"more")):
        answer = send(acme.rep, account, (piece for piece in pieces))
        assert answer.status_code == 201, answer.text
        assert acme.rep.get(f"{answer.headers['location']}/content").content == b"abc"


def test_a_file_may_be_larger_than_other_bodies(application, acme, account):
    with opened(application, largest_body_bytes=1_000, largest_file_bytes=2_000_000) as client:
        rep = at(client, acme.rep)
        content = PNG + bytes(range(256)) * 7_000
        file = attached(rep, account, content, "a.png")
        assert rep.get(f"/files/{file}/content").content == content
        problem(rep.post("/accounts", {"name": "A" * 1_000}), 413, "too_large")


@pytest.mark.usefixtures("nothing_left")
@pytest.mark.parametrize("name", ["a\u202egpj.txt", "..", " ", "a" * 256])
def test_a_name_that_no_file_can_have_is_refused(acme, account, name):
    assert pointers(problem(attach(acme.rep, account, name=name), 422, "invalid_value")) == {"/file"}


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\ada\\cv.txt", "cv.txt"),
        ('a"b;c.txt', 'a"b;c.txt'),
        ("é.txt", "é.txt"),
    ],
)
def test_of_a_path_only_the_name_is_kept(acme, account, sent, kept):
    file = attached(acme.rep, account, name=sent)
    assert acme.rep.get(f"/files/{file}").json()["name"] == kept


@pytest.mark.usefixtures("nothing_left")
@pytest.mark.parametrize(
    ("content", "name", "found"),
    [
        (b"<!doctype html><script>alert(1)</script>", "a.pdf", "text/html"),
        (b"<svg onload='alert(1)'/>", "a.png", "text/html"),
        (b"MZ\x90\0\x03\0\0\0" + b"\0" * 100, "a.txt", None),
        (bytes(range(256)), "a.csv", "application/octet-stream"),
    ],
)
def test_a_type_that_is_not_allowed_is_refused_whatever_its_name(acme, account, content, name, found):
    told = problem(attach(acme.rep, account, content, name), 415, "file_type_not_allowed")
    assert told["details"]["found"] not in FILE_TYPES
    assert found in (None, told["details"]["found"])


@pytest.mark.usefixtures("nothing_left")
def test_what_is_allowed_is_a_setting(application, acme, account):
    with opened(application, file_types=("image/png",)) as client:
        told = problem(attach(at(client, acme.rep), account, PDF, "a.pdf"), 415, "file_type_not_allowed")
        assert told["details"] == {"found": "application/pdf", "allowed": ["image/png"]}
