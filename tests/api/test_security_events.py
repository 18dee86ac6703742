"""What happens to access is in the tenant's log and audit trail: who, from where, and never too often."""

import time
from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from litestar.testing import TestClient

from api.app import create
from application.recording import stream_name
from domain.permissions import Role
from domain.security.events import (
    Locked,
    LoggedIn,
    LogInsFailed,
    PasswordSet,
    RefreshTokenReused,
    RequestForbidden,
    SessionEnded,
    SessionsEnded,
    Unlocked,
)
from infrastructure.security_log import SecurityLog
from infrastructure.sessions import Client, Principal
from infrastructure.verification import verify
from tests.api.stand import API, PASSWORD, metric
from tests.api.test_lockouts import fail, later
from tests.api.test_logging_in import log_in, with_password
from tests.api.test_sessions import bearer, much_later, refreshed


@pytest.fixture
def journal(application, acme):
    """Reads a user's security events, when there are as many as are waited for."""

    def read(user, wanted=0, company=acme):
        deadline = time.monotonic() + 5
        while True:
            found = application.store.stream(company.profile.id, stream_name("access", UUID(str(user))))
            if len(found) >= wanted or time.monotonic() > deadline:
                return found
            time.sleep(0.02)

    return read


def told(recorded):
    return [each.event for each in recorded]


def test_a_log_in_is_an_event_with_its_session_and_its_sealed_address(acme, application, journal):
    email, id = with_password(acme)
    tokens = log_in(acme, email).json()
    (session,) = acme.client.get(f"{API}/auth/sessions", headers=bearer(tokens)).json()["items"]
    first, second = journal(id, 2)
    assert first.event == PasswordSet()
    assert first.metadata.actor == f"user-{acme.admin.id}"
    assert second.event == LoggedIn(session=UUID(session["id"]))
    assert second.metadata.actor == f"user-{id}"
    assert second.metadata.request
    assert application.store.open_address(second) == "testclient"
    assert b"testclient" not in raw(application, acme, id)


def test_a_log_in_appends_one_event(acme, application):
    email, _ = with_password(acme)
    before = application.store.head(acme.profile.id)
    log_in(acme, email)
    assert application.store.head(acme.profile.id) == before + 1


def test_failures_are_merged_into_one_event_that_comes_with_the_lock(acme, application, journal):
    email, id = with_password(acme)
    fail(acme, email, 9)
    assert told(journal(id, 2)) == [PasswordSet(), Locked(failures=5, seconds=900)]
    assert journal(id)[1].metadata.actor == f"user-{id}"
    later(application, acme, id)
    assert log_in(acme, email).status_code == 200
    failed, logged_in = told(journal(id, 4))[2:]
    assert failed == LogInsFailed(count=4)
    assert isinstance(logged_in, LoggedIn)


def test_failures_before_a_success_are_told_with_it(acme, journal):
    email, id = with_password(acme)
    fail(acme, email, 3)
    log_in(acme, email)
    assert [type(each) for each in told(journal(id, 3))] == [PasswordSet, LogInsFailed, LoggedIn]
    assert told(journal(id))[1] == LogInsFailed(count=3)


def test_failures_of_a_while_that_is_over_are_told_with_the_next(acme, application, journal):
    email, id = with_password(acme)
    fail(acme, email, 2)
    later(application, acme, id)
    fail(acme, email, 1)
    assert told(journal(id, 2))[1:] == [LogInsFailed(count=2)]


def test_an_attacker_causes_no_more_than_two_events_in_a_lock_out_window(acme, application, journal):
    email, id = with_password(acme)
    for _ in range(4):
        fail(acme, email, 7)
        later(application, acme, id)
    journal(id, 8)
    time.sleep(0.2)
    assert len(journal(id)) - 1 <= 4 * 2


def test_unknown_addresses_and_tenants_write_no_event(acme, application):
    before = application.store.head(acme.profile.id)
    for email in (acme.viewer.email, f"{uuid4()}@example.com"):
        fail(acme, email, 6)
    for _ in range(6):
        log_in(acme, "a@example.com", tenant="no-such-tenant")
    time.sleep(0.2)
    assert application.store.head(acme.profile.id) == before


def test_sessions_that_end_and_tokens_that_come_back_are_events(acme, application, journal):
    email, id = with_password(acme)
    first, second, third = (log_in(acme, email).json() for _ in range(3))
    sessions = [each.event.session for each in journal(id, 4)[1:]]
    acme.client.post(f"{API}/auth/logout", headers=bearer(first))
    acme.client.delete(f"{API}/auth/sessions/{sessions[1]}", headers=bearer(third))
    refreshed(acme, third["refresh_token"])
    much_later(application, acme)
    for _ in range(3):
        refreshed(acme, third["refresh_token"])
    acme.admin.post(f"/users/{id}/end-sessions")
    ended = journal(id)[4:]
    assert told(ended) == [
        SessionEnded(session=sessions[0]),
        SessionEnded(session=sessions[1]),
        RefreshTokenReused(session=sessions[2]),
        SessionsEnded(),
    ]
    assert [each.metadata.actor for each in ended] == [f"user-{id}"] * 3 + [f"user-{acme.admin.id}"]
    assert second


def test_passwords_and_unlocking_are_events_of_whoever_did_it(acme, journal):
    email, id = with_password(acme)
    tokens = log_in(acme, email).json()
    body = {"old_password": PASSWORD, "new_password": "purple monkey dishwasher"}
    acme.client.post(f"{API}/auth/change-password", json=body, headers=bearer(tokens))
    fail(acme, email, 5)
    acme.admin.post(f"/users/{id}/unlock")
    acme.admin.post(f"/users/{id}/unlock")
    acme.admin.post(f"/users/{id}/set-password", {"password": PASSWORD})
    mine, admins = f"user-{id}", f"user-{acme.admin.id}"
    assert [(each.event, each.metadata.actor) for each in journal(id, 6)[2:]] == [
        (PasswordSet(), mine),
        (Locked(failures=5, seconds=900), mine),
        (Unlocked(), admins),
        (PasswordSet(), admins),
    ]


def test_what_a_role_may_not_do_is_an_event(acme, journal):
    person = acme.hires(Role.VIEWER)
    assert person.post("/accounts", {"name": "Acme"}).status_code == 403
    assert person.post(f"/users/{person.id}/role", {"role": "admin"}).status_code == 403
    assert told(journal(person.id)) == [
        RequestForbidden(operation="create-account"),
        RequestForbidden(operation="role-user"),
    ]
    assert {each.metadata.actor for each in journal(person.id)} == {f"user-{person.id}"}


def test_what_alerts_watch_is_counted_by_its_type(acme, application):
    locked, forbidden, reused = series = [
        f'clientforge_security_events_total{{type="access.{name}.v1"}}'
        for name in ("locked", "request_forbidden", "refresh_token_reused")
    ]
    (attacked, _), (robbed, _) = with_password(acme), with_password(acme)
    tokens = log_in(acme, robbed).json()
    before = {each: metric(acme.client, each) for each in series}

    def grown():
        return {each: metric(acme.client, each) - before[each] for each in series}

    fail(acme, attacked, 5)
    assert acme.hires(Role.VIEWER).post("/accounts", {"name": "Acme"}).status_code == 403
    refreshed(acme, tokens["refresh_token"])
    much_later(application, acme)
    refreshed(acme, tokens["refresh_token"])
    deadline = time.monotonic() + 5
    while grown()[locked] == 0 and time.monotonic() < deadline:
        time.sleep(0.02)
    assert grown() == {locked: 1, forbidden: 1, reused: 1}


def test_all_events_of_an_append_are_counted(acme, journal):
    email, id = with_password(acme)
    fail(acme, email, 3)
    series = ("clientforge_appends_total", "clientforge_events_appended_total")
    before = [metric(acme.client, each) for each in series]
    log_in(acme, email)
    assert told(journal(id, 3))[1] == LogInsFailed(count=3)
    assert [metric(acme.client, each) - before[number] for number, each in enumerate(series)] == [1, 2]


def test_an_hour_has_so_many_events_of_a_kind_and_the_next_hour_tells_how_many_were_left_out(
    acme, application, journal
):
    person = acme.hires(Role.VIEWER)
    log = SecurityLog(application.database, application.store, application.announcements, per_hour=3)
    principal = Principal(tenant=acme.profile.id, user=person.id, session=person.id, role=Role.VIEWER)

    def forbid(times):
        for _ in range(times):
            log.forbidden(principal, "create-deal", Client())

    forbid(8)
    assert len(journal(person.id)) == 3
    log.session_ended(principal, person.id, Client())
    assert len(journal(person.id)) == 4
    with application.database.transaction(acme.profile.id) as transaction:
        transaction.execute(
            "UPDATE security_quotas SET hour = hour - %(by)s WHERE tenant_id = %(tenant)s AND user_id = %(user)s",
            {"by": timedelta(hours=1), "user": person.id},
        )
    forbid(5)
    assert [each.event.missed for each in journal(person.id)[4:]] == [5, 0, 0]


def test_whoever_logs_in_all_the_time_fills_no_log_and_failures_before_are_told_later(acme, application, journal):
    email, id = with_password(acme)
    settings = application.settings.model_copy(update={"security_events_per_hour": 2})
    with TestClient(create(replace(application, settings=settings))) as client:
        limited = replace(acme, client=client)
        assert [log_in(limited, email).status_code for _ in range(3)] == [200] * 3
        fail(limited, email, 2)
        assert log_in(limited, email).status_code == 200
    assert [type(each) for each in told(journal(id))] == [PasswordSet, LoggedIn, LoggedIn]
    acme.admin.post(f"/users/{id}/unlock")
    assert told(journal(id))[3:] == [LogInsFailed(count=2)]


def test_the_audit_trail_and_the_verification_know_them_and_timelines_do_not(startup, application, journal):
    email, id = with_password(startup)
    for _ in range(3):
        log_in(startup, email)
    position = journal(id, 4, startup)[-1].position
    asked = {"entity": "access", "id": id}
    answer = startup.admin.ask("GET", "/audit", params=asked, headers={"ClientForge-Min-Position": str(position)})
    items = answer.json()["items"]
    assert [each["type"] for each in items] == ["access.logged_in.v1"] * 3 + ["access.password_set.v1"]
    assert items[0]["address"] == "testclient"
    assert items[0]["actor"] == f"user-{id}"
    assert "before" not in items[0]
    assert "after" not in items[0]
    assert "event" in items[0]
    assert startup.admin.get(f"/users/{id}").status_code == 200
    shown = startup.admin.get(f"/users/{id}/timeline").json()["items"]
    assert {each["entity"] for each in shown} == {"user"}
    assert verify(application.database, startup.profile.id).flaw is None


def raw(application, company, user):
    rows = application.database.read(
        company.profile.id,
        "SELECT metadata, payload FROM events WHERE tenant_id = %(tenant)s AND stream = %(stream)s",
        {"stream": stream_name("access", UUID(user))},
    )
    return b"".join(row["metadata"] + row["payload"] for row in rows)
