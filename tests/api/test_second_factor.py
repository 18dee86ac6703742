"""A second factor: asked for once it is confirmed, each code once, and no way around it."""

import re
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qs, unquote, urlparse

import pyotp
import pytest

from application.recording import stream_name
from domain.security.events import (
    Locked,
    LoggedIn,
    LogInsFailed,
    PasswordSet,
    RecoveryCodeUsed,
    SecondFactorDisabled,
    SecondFactorEnabled,
    SecondFactorReset,
)
from infrastructure.lockouts import Lockouts
from infrastructure.one_time_codes import new_secret, recovery_hash, step_of
from tests.api.devices import Device, enrolled, logged_in
from tests.api.stand import API, NOBODY, PASSWORD, Person, pointers, problem
from tests.api.test_lockouts import later
from tests.api.test_logging_in import log_in


@pytest.fixture
def ada(acme):
    """Somebody with a second factor."""
    return enrolled(acme)


def journal(company, user, wanted=0):
    """A user's security events, when there are as many as are waited for."""
    deadline = time.monotonic() + 5
    while True:
        found = company.application.store.stream(company.profile.id, stream_name("access", user))
        if len(found) >= wanted or time.monotonic() > deadline:
            return [each.event for each in found]
        time.sleep(0.02)


def test_the_published_codes_of_the_standard_are_those_of_their_times():
    """RFC 6238, appendix B, the last six of eight digits."""
    secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
    for seconds, code in ((59, "287082"), (1111111109, "081804"), (1234567890, "005924"), (20000000000, "353130")):
        assert step_of(secret, code, now=seconds) == seconds // 30


def test_a_clock_may_be_off_by_one_step_and_no_more():
    secret, now = new_secret(), 1_700_000_000
    found = [step_of(secret, pyotp.TOTP(secret).at(now, counter_offset=off), now=now) for off in (-2, -1, 0, 1, 2)]
    assert found == [None, now // 30 - 1, now // 30, now // 30 + 1, None]


@pytest.mark.parametrize("code", ["", "12345", "1234567", "１２３４５６", "12345é", "\ud800", "-12345"])
def test_what_is_no_code_is_none(code):
    assert step_of(new_secret(), code) is None


def test_logging_in_takes_a_code(ada):
    told = problem(ada.logs_in(), 401, "second_factor_required")
    assert "code" in told["detail"]
    problem(ada.logs_in(ada.device.wrong_code()), 401, "wrong_credentials")
    answer = ada.logs_in(ada.device.code(1))
    assert answer.status_code == 200
    assert Person(ada.client, ada.id, ada.email, answer.json()["access_token"]).get("/auth/me").status_code == 200


def test_it_is_asked_for_when_a_code_has_confirmed_it_and_not_before(acme):
    person = logged_in(acme)
    assert person.get("/auth/second-factor").json() == {"on": False, "since": None, "recovery_codes_left": 0}
    device = Device(person.post("/auth/second-factor", {"password": PASSWORD}).json()["secret"])
    assert log_in(acme, person.email).status_code == 200
    told = problem(person.post("/auth/second-factor/confirm", {"code": device.wrong_code()}), 422, "wrong_code")
    assert pointers(told) == {"/code"}
    assert log_in(acme, person.email).status_code == 200
    assert person.post("/auth/second-factor/confirm", {"code": device.code()}).status_code == 200
    problem(log_in(acme, person.email), 401, "second_factor_required")
    known = person.get("/auth/second-factor").json()
    assert (known["on"], known["recovery_codes_left"]) == (True, 10)
    assert known["since"]


def test_the_secret_comes_as_an_address_that_apps_read(acme):
    person = logged_in(acme)
    begun = person.post("/auth/second-factor", {"password": PASSWORD}).json()
    uri = urlparse(begun["uri"])
    assert (uri.scheme, uri.netloc) == ("otpauth", "totp")
    assert unquote(uri.path) == f"/ClientForge {acme.profile.subdomain}:{person.email}"
    assert parse_qs(uri.query) == {"secret": [begun["secret"]], "issuer": [f"ClientForge {acme.profile.subdomain}"]}


def test_beginning_anew_replaces_what_was_not_confirmed(acme):
    person = logged_in(acme)
    first, second = (
        Device(person.post("/auth/second-factor", {"password": PASSWORD}).json()["secret"]) for _ in range(2)
    )
    problem(person.post("/auth/second-factor/confirm", {"code": first.code()}), 422, "wrong_code")
    assert person.post("/auth/second-factor/confirm", {"code": second.code()}).status_code == 200


def test_what_was_begun_over_an_hour_ago_or_never_is_not_confirmed(acme, application):
    person = logged_in(acme)
    problem(person.post("/auth/second-factor/confirm", {"code": "287082"}), 409, "second_factor_off")
    device = Device(person.post("/auth/second-factor", {"password": PASSWORD}).json()["secret"])
    with application.database.transaction(acme.profile.id) as transaction:
        transaction.execute(
            "UPDATE second_factors SET begun_at = begun_at - interval '61 minutes'"
            " WHERE tenant_id = %(tenant)s AND user_id = %(user)s",
            {"user": person.id},
        )
    problem(person.post("/auth/second-factor/confirm", {"code": device.code()}), 409, "second_factor_off")


def test_one_that_is_on_stays_until_it_is_turned_off(ada):
    problem(ada.post("/auth/second-factor", {"password": PASSWORD}), 409, "second_factor_on")
    problem(ada.post("/auth/second-factor/confirm", {"code": ada.device.code(1)}), 409, "second_factor_off")
    assert ada.logs_in(ada.device.code(1)).status_code == 200


def test_a_code_counts_once(ada):
    problem(ada.logs_in(ada.device.code()), 401, "wrong_credentials")  # it has confirmed
    code = ada.device.code(1)
    assert ada.logs_in(f"{code[:3]} {code[3:]}").status_code == 200
    problem(ada.logs_in(code), 401, "wrong_credentials")


def test_a_code_before_the_last_one_counts_no_more(ada):
    assert ada.logs_in(ada.device.code(1)).status_code == 200
    problem(ada.logs_in(ada.device.code()), 401, "wrong_credentials")


def test_of_many_who_come_with_one_code_at_once_one_gets_in(ada):
    for code in (ada.device.code(1), ada.recovery_codes[0]):
        with ThreadPoolExecutor(4) as threads:
            answers = list(threads.map(lambda _, code=code: ada.logs_in(code).status_code, range(4)))
        assert sorted(answers) == [200, 401, 401, 401]
        assert ada.company.admin.post(f"/users/{ada.id}/unlock").status_code == 204


def test_a_wrong_password_uses_no_code_up(ada):
    code, recovery = ada.device.code(1), ada.recovery_codes[0]
    problem(ada.logs_in(code, "a wrong password"), 401, "wrong_credentials")
    problem(ada.logs_in(recovery, "a wrong password"), 401, "wrong_credentials")
    assert ada.logs_in(code).status_code == 200
    assert ada.logs_in(recovery).status_code == 200


def test_wrong_password_wrong_code_and_a_lock_look_the_same(ada, acme):
    answers = [
        ada.logs_in("000000 is none", "a wrong password"),
        ada.logs_in("000000 is none"),
        log_in(acme, f"nobody-{ada.email}", code="000000 is none"),
        *(ada.logs_in("000000 is none") for _ in range(3)),
        ada.logs_in(ada.device.code(1)),
        ada.logs_in(ada.recovery_codes[0]),
    ]
    told = [{**problem(each, 401, "wrong_credentials"), "request_id": None} for each in answers]
    assert all(each == told[0] for each in told)


def test_five_wrong_codes_lock_the_account_and_the_lock_does_not_say_whose_password_is_right(ada, application):
    for _ in range(5):
        problem(ada.logs_in(ada.device.wrong_code()), 401, "wrong_credentials")
    problem(ada.logs_in(ada.device.code(1)), 401, "wrong_credentials")
    right, wrong = ada.logs_in(), ada.logs_in(None, "a wrong password")
    told = [{**problem(each, 401, "wrong_credentials"), "request_id": None} for each in (right, wrong)]
    assert told[0] == told[1]
    later(application, ada.company, ada.id)
    assert ada.logs_in(ada.recovery_codes[0]).status_code == 200, "what a lock refuses uses no code up"
    assert ada.logs_in(ada.device.code(1)).status_code == 200


def test_another_password_gives_no_new_guesses_at_the_codes(ada):
    for _ in range(4):
        problem(ada.logs_in(ada.device.wrong_code()), 401, "wrong_credentials")
    other = "another battery of staples"
    changed = ada.post("/auth/change-password", {"old_password": PASSWORD, "new_password": other})
    assert changed.status_code == 200
    problem(ada.logs_in(ada.device.wrong_code(), other), 401, "wrong_credentials")
    problem(ada.logs_in(ada.device.code(1), other), 401, "wrong_credentials")


def test_the_password_alone_counts_neither_as_a_failure_nor_as_a_success(ada):
    for _ in range(4):
        problem(ada.logs_in(ada.device.wrong_code()), 401, "wrong_credentials")
    for _ in range(6):
        problem(ada.logs_in(), 401, "second_factor_required")
    problem(ada.logs_in(ada.device.wrong_code()), 401, "wrong_credentials")
    problem(ada.logs_in(), 401, "wrong_credentials")


def test_a_recovery_code_lets_in_once_however_it_is_written(ada):
    assert len(set(ada.recovery_codes)) == 10
    assert all(re.fullmatch(r"(?:[A-Z2-7]{4}-){3}[A-Z2-7]{4}", each) for each in ada.recovery_codes)
    first, second = ada.recovery_codes[:2]
    assert ada.logs_in(first).status_code == 200
    problem(ada.logs_in(first), 401, "wrong_credentials")
    assert ada.logs_in(f" {second.lower().replace('-', ' ')} ").status_code == 200
    problem(ada.logs_in(second), 401, "wrong_credentials")
    assert ada.get("/auth/second-factor").json()["recovery_codes_left"] == 8


def test_the_recovery_codes_of_others_are_none(ada, acme):
    grace = enrolled(acme)
    problem(ada.logs_in(grace.recovery_codes[0]), 401, "wrong_credentials")
    problem(ada.logs_in(grace.device.code(1)), 401, "wrong_credentials")
    assert grace.logs_in(grace.recovery_codes[0]).status_code == 200


def test_turning_it_on_ends_all_sessions_but_the_present_one(acme):
    person = logged_in(acme)
    other = log_in(acme, person.email).json()
    device = Device(person.post("/auth/second-factor", {"password": PASSWORD}).json()["secret"])
    elsewhere = Person(acme.client, person.id, person.email, other["access_token"])
    assert elsewhere.get("/auth/me").status_code == 200
    person.post("/auth/second-factor/confirm", {"code": device.code()})
    assert person.get("/auth/me").status_code == 200
    problem(elsewhere.get("/auth/me"), 401, "revoked_token")
    refused = acme.client.post(f"{API}/auth/refresh", json={"refresh_token": other["refresh_token"]})
    problem(refused, 401, "invalid_token")


def test_setting_it_up_needs_the_password_and_guessing_that_locks(acme):
    person = logged_in(acme)
    for _ in range(5):
        told = problem(person.post("/auth/second-factor", {"password": "a wrong password"}), 422, "wrong_password")
        assert pointers(told) == {"/password"}
    problem(person.post("/auth/second-factor", {"password": PASSWORD}), 422, "wrong_password")
    problem(log_in(acme, person.email), 401, "wrong_credentials")


def test_guessing_the_code_that_confirms_locks(acme):
    person = logged_in(acme)
    device = Device(person.post("/auth/second-factor", {"password": PASSWORD}).json()["secret"])
    for _ in range(5):
        problem(person.post("/auth/second-factor/confirm", {"code": device.wrong_code()}), 422, "wrong_code")
    problem(person.post("/auth/second-factor/confirm", {"code": device.code()}), 422, "wrong_code")
    assert not person.get("/auth/second-factor").json()["on"]


def test_turning_it_off_needs_password_and_code(ada):
    def turn_off(password, code):
        return ada.post("/auth/second-factor/turn-off", {"password": password, "code": code})

    problem(turn_off("a wrong password", ada.device.code(1)), 422, "wrong_password")
    problem(turn_off(PASSWORD, ada.device.wrong_code()), 422, "wrong_code")
    problem(ada.logs_in(), 401, "second_factor_required")
    assert turn_off(PASSWORD, ada.device.code(1)).status_code == 204
    assert ada.logs_in().status_code == 200
    assert ada.get("/auth/second-factor").json()["recovery_codes_left"] == 0
    problem(turn_off(PASSWORD, ada.recovery_codes[0]), 409, "second_factor_off")


def test_a_recovery_code_turns_it_off_too_and_it_can_be_set_up_anew(ada):
    body = {"password": PASSWORD, "code": ada.recovery_codes[3]}
    assert ada.post("/auth/second-factor/turn-off", body).status_code == 204
    device = Device(ada.post("/auth/second-factor", {"password": PASSWORD}).json()["secret"])
    codes = ada.post("/auth/second-factor/confirm", {"code": device.code()}).json()["recovery_codes"]
    problem(ada.logs_in(ada.device.code(1)), 401, "wrong_credentials")
    problem(ada.logs_in(ada.recovery_codes[4]), 401, "wrong_credentials")
    assert ada.logs_in(codes[0]).status_code == 200


def test_behind_a_lock_turning_off_does_not_tell_the_right_password_from_a_wrong_one(ada):
    def turn_off(password, code):
        return ada.post("/auth/second-factor/turn-off", {"password": password, "code": code})

    for _ in range(5):
        problem(turn_off(PASSWORD, ada.device.wrong_code()), 422, "wrong_code")
    right, wrong = turn_off(PASSWORD, ada.device.code(1)), turn_off("a wrong password", ada.device.code(1))
    told = [{**problem(each, 422, "wrong_password"), "request_id": None} for each in (right, wrong)]
    assert told[0] == told[1]


def test_an_admin_lets_in_who_lost_it_and_nobody_else_does(ada, acme, rival):
    path = f"/users/{ada.id}/reset-second-factor"
    problem(acme.rep.post(path), 403, "forbidden")
    problem(rival.admin.post(path), 404, "not_found")
    problem(acme.admin.post(f"/users/{NOBODY}/reset-second-factor"), 404, "not_found")
    problem(ada.logs_in(), 401, "second_factor_required")
    for _ in range(2):
        assert acme.admin.post(path).status_code == 204
    assert ada.logs_in().status_code == 200
    assert ada.logs_in(ada.recovery_codes[0]).status_code == 200, "a code that nobody needs is passed over"
    assert journal(acme, ada.id).count(SecondFactorReset()) == 1
    reset = acme.application.store.stream(acme.profile.id, stream_name("access", ada.id))
    assert [each.metadata.actor for each in reset if each.event == SecondFactorReset()] == [f"user-{acme.admin.id}"]


def test_an_admin_does_not_reset_their_own(startup):
    boss = enrolled(startup, role="admin")
    problem(boss.post(f"/users/{boss.id}/reset-second-factor"), 403, "forbidden")
    problem(boss.logs_in(), 401, "second_factor_required")


def test_passwords_that_others_set_and_other_roles_leave_it_on(ada, acme):
    acme.admin.post(f"/users/{ada.id}/set-password", {"password": "purple monkey dishwasher"})
    acme.admin.post(f"/users/{ada.id}/role", {"role": "viewer"})
    acme.admin.post(f"/users/{ada.id}/deactivate")
    acme.admin.post(f"/users/{ada.id}/activate")
    problem(ada.logs_in(None, "purple monkey dishwasher"), 401, "second_factor_required")
    assert ada.logs_in(ada.device.code(1), "purple monkey dishwasher").status_code == 200


def test_a_browser_logs_in_no_other_way(ada, client):
    body = {"email": ada.email, "password": PASSWORD, "tenant": ada.company.profile.subdomain}
    refused = client.post(f"{API}/auth/browser", json=body)
    problem(refused, 401, "second_factor_required")
    assert "set-cookie" not in refused.headers
    begun = client.post(f"{API}/auth/browser", json={**body, "code": ada.device.code(1)})
    client.cookies.clear()
    assert begun.status_code == 200
    assert begun.headers["set-cookie"]


def test_a_log_in_that_began_before_it_was_turned_on_takes_a_code(acme, application):
    """It asks what it needs behind the lock that turning on takes, too."""
    person = logged_in(acme)
    assert person.post("/auth/second-factor", {"password": PASSWORD}).status_code == 200
    with ThreadPoolExecutor(1) as threads:
        with application.database.transaction(acme.profile.id) as turning_on:
            Lockouts().hold(turning_on, person.id)
            logging_in = threads.submit(log_in, acme, person.email)
            time.sleep(1)
            turning_on.execute(
                "UPDATE second_factors SET confirmed_at = clock_timestamp(), last_step = 0"
                " WHERE tenant_id = %(tenant)s AND user_id = %(user)s",
                {"user": person.id},
            )
        problem(logging_in.result(), 401, "second_factor_required")


def test_what_happens_to_it_is_told(acme):
    person = enrolled(acme)
    person.logs_in(person.recovery_codes[0])
    person.logs_in(person.device.wrong_code())
    person.post("/auth/second-factor/turn-off", {"password": PASSWORD, "code": person.recovery_codes[1]})
    told = journal(acme, person.id)
    assert [type(each) for each in told] == [
        *(PasswordSet, LoggedIn, SecondFactorEnabled, RecoveryCodeUsed, LoggedIn),
        *(LogInsFailed, RecoveryCodeUsed, SecondFactorDisabled),
    ]
    assert [each.left for each in told if isinstance(each, RecoveryCodeUsed)] == [9, 8]


def test_a_lock_by_wrong_codes_is_told_as_one_by_wrong_passwords(ada, acme):
    for _ in range(5):
        ada.logs_in(ada.device.wrong_code())
    assert journal(acme, ada.id, 4)[3:] == [Locked(failures=5, seconds=900)]


def test_no_secret_and_no_recovery_code_is_stored_in_the_clear(ada, application):
    rows = application.database.read(
        ada.company.profile.id,
        "SELECT f.secret, array(SELECT hash FROM recovery_codes"
        " WHERE tenant_id = %(tenant)s AND user_id = %(user)s) AS hashes"
        " FROM second_factors f WHERE f.tenant_id = %(tenant)s AND f.user_id = %(user)s",
        {"user": ada.id},
    )
    secret = ada.device.secret.encode()
    assert secret not in rows[0]["secret"]
    assert pyotp.TOTP(ada.device.secret).byte_secret() not in rows[0]["secret"]
    assert set(rows[0]["hashes"]) == {recovery_hash(each) for each in ada.recovery_codes}


def test_the_watch_over_all_these_tests_knows_secrets_and_recovery_codes(leaks, ada):
    known = {ada.device.secret, *ada.recovery_codes, ada.recovery_codes[0].replace("-", "")}
    assert known - leaks.typed == set()
    assert leaks.found_in(f"secret={ada.device.secret}") == {ada.device.secret}
