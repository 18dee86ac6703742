"""Histories over HTTP: page by page, and bounded like other lists and long operations."""

import pytest

from api.app import OPERATIONS
from tests.api.stand import problem


@pytest.fixture
def account(acme) -> str:
    """An account with five versions."""
    id = acme.admin.makes("/accounts", {"name": "Version 1"})
    for number in range(2, 6):
        acme.admin.patch(f"/accounts/{id}", {"name": f"Version {number}"})
    return id


def test_a_history_is_read_page_by_page_along_its_links(acme, account):
    answer, pages = acme.admin.get(f"/accounts/{account}/history", limit="2"), []
    while True:
        pages.append([(each["version"], each["changed"]) for each in answer.json()["items"]])
        if answer.json()["next"] is None:
            break
        answer = acme.admin.get(answer.headers["link"].partition(">")[0].removeprefix("<"))
    assert [[version for version, _ in page] for page in pages] == [[1, 2], [3, 4], [5]]
    assert pages[1][0][1] == [{"field": "name", "before": "Version 2", "after": "Version 3"}]
    assert "link" not in answer.headers


def test_a_page_of_a_history_has_50_versions_unless_told_and_200_at_most(acme):
    id = acme.admin.makes("/accounts", {"name": "Version 1"})
    for number in range(2, 53):
        assert acme.admin.patch(f"/accounts/{id}", {"name": f"Version {number}"}).status_code == 200
    path = f"/accounts/{id}/history"
    page = acme.admin.get(path).json()
    assert (len(page["items"]), page["next"] is not None) == (50, True)
    assert len(acme.admin.get(path, limit="200").json()["items"]) == 52
    for limit in ("0", "201"):
        problem(acme.admin.get(path, limit=limit), 422, "invalid_value")


def test_its_cursor_is_of_use_to_its_user_in_it_alone(acme, account):
    cursor = acme.admin.get(f"/accounts/{account}/history", limit="2").json()["next"]
    other = acme.admin.makes("/accounts", {"name": "Another"})
    for answer in (
        acme.admin.get(f"/accounts/{other}/history", cursor=cursor),
        acme.admin.get(f"/accounts/{account}/timeline", cursor=cursor),
        acme.viewer.get(f"/accounts/{account}/history", cursor=cursor),
        acme.admin.get(f"/accounts/{account}/history", cursor=cursor.partition(".")[2]),
    ):
        problem(answer, 422, "invalid_cursor")
    problem(acme.admin.get(f"/accounts/{account}/history", sort="version"), 422, "invalid_sort")


def test_histories_are_among_what_a_tenant_has_only_so_many_of_running():
    assert {each.long for each in OPERATIONS if each.name.startswith("history-of-")} == {True}
