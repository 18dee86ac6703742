"""Files of any content and any name, sent to the running system: each comes back as it was, or is refused whole."""

import hashlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infrastructure.settings import FILE_TYPES
from tests.api.uploads import GIF, JPEG, PDF, PNG, TEXT, office
from tests.journeys.system import System, environment, running

CONTENTS = st.one_of(
    st.binary(min_size=1, max_size=3000),
    st.text(min_size=1, max_size=500).map(lambda text: text.encode("utf-8", "replace")),
    st.builds(bytes.__add__, st.sampled_from([PDF, PNG, GIF, JPEG, TEXT]), st.binary(max_size=2000)),
    st.sampled_from([office("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"), b"", b"<p>"]),
    st.builds(bytes.__mul__, st.sampled_from([b"line\r\n", b"\r\n--", b"\r\n--boundary"]), st.integers(1, 100_000)),
)
NAMES = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=300),
    st.sampled_from(["a.csv", "A.PDF", "a.html", "x/y\\z", "a\r\nB: c", 'a"; filename="b']),
)


@pytest.fixture(scope="module")
def system(copied_urls, redis_url, elasticsearch_url, mongodb_url, tmp_path_factory):
    """The running system, with a tenant and its admin."""
    place = tmp_path_factory.mktemp("uploads")
    variables = environment(copied_urls, redis_url, elasticsearch_url, mongodb_url)
    with running({**variables, "FILES_DIR": str(place / "files")}, place) as system:
        system.make_tenant("Uploads Inc.", "uploads")
        yield system


@pytest.fixture(scope="module")
def account(system: System) -> str:
    return str(system.send("POST", "/accounts", {"name": "Analytical Engines"})["id"])


def on_disk(system: System) -> set[Path]:
    return {path for path in Path(system.variables["FILES_DIR"]).rglob("*") if path.is_file()}


@settings(max_examples=150, suppress_health_check=list(HealthCheck))
@given(content=CONTENTS, name=NAMES)
def test_whatever_is_sent_comes_back_as_it_was_or_is_refused_and_nothing_is_left(system, account, content, name):
    before = on_disk(system)
    where = {"entity": "account", "record": account}
    answer = system.client.post("/api/v1/files", params=where, files={"file": (name, content)})
    if answer.status_code != 201:
        assert answer.status_code in (400, 415, 422), answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        assert on_disk(system) == before
        return
    row = system.get(answer.headers["location"].removeprefix("/api/v1"))
    assert (row["size"], row["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())
    assert row["media_type"] in FILE_TYPES
    sent = system.client.get(f"{answer.headers['location']}/content")
    assert sent.content == content
    assert sent.headers["content-type"] == row["media_type"]
    assert sent.headers["content-disposition"].startswith("attachment; ")
    assert {path.name for path in on_disk(system) - before} == {row["id"]}
