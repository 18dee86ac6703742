"""Failed log-ins lock an account for a while, and the lock tells nobody that there is one."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import UUID

import pytest
from argon2 import PasswordHasher
from argon2.profiles import CHEAPEST

from domain.security.events import Locked, LogInsFailed
from infrastructure.lockouts import NOBODY, Lockouts
from tests.api.stand import API, PASSWORD, problem
from tests.api.stand import NOBODY as NO_USER
from tests.api.test_logging_in import log_in, stored, with_password


def later(application, company, user, minutes=16):
    """Moves a user's failures into the past."""
    with application.database.transaction(company.profile.id) as transaction:
        transaction.execute(
            "UPDATE log_in_attempts SET since = since - %(by)s, locked_until = locked_until - %(by)s"
            " WHERE tenant_id = %(tenant)s AND user_id = %(user)s",
            {"by": timedelta(minutes=minutes), "user": UUID(str(user))},
        )


def fail(company, email, times):
    for _ in range(times):
        problem(log_in(company, email, "a wrong password"), 401, "wrong_credentials")


def test_five_failures_lock_the_account_for_the_right_password_too(acme, application):
    email, id = with_password(acme)
    fail(acme, email, 5)
    wrong, right = log_in(acme, email, "a wrong password"), log_in(acme, email)
    told = [{**problem(each, 401, "wrong_credentials"), "request_id": None} for each in (wrong, right)]
    assert told[0] == told[1]
    later(application, acme, id, minutes=14)
    problem(log_in(acme, email), 401, "wrong_credentials")
    later(application, acme, id, minutes=2)
    assert log_in(acme, email).status_code == 200


def test_a_locked_account_does_no_work_for_the_right_password_that_it_does_for_no_wrong_one(acme, application):
    """Hashing an outdated form anew would double the time, and tell that the password is right."""
    email, id = with_password(acme)
    outdated = PasswordHasher.from_parameters(CHEAPEST).hash(PASSWORD)
    with application.database.transaction(acme.profile.id) as transaction:
        transaction.execute(
            "UPDATE credentials SET password_hash = %(hash)s WHERE tenant_id = %(tenant)s AND user_id = %(user)s",
            {"hash": outdated, "user": UUID(id)},
        )
    fail(acme, email, 5)
    problem(log_in(acme, email), 401, "wrong_credentials")
    assert stored(application, acme, id) == outdated
    later(application, acme, id)
    assert log_in(acme, email).status_code == 200
    assert stored(application, acme, id) != outdated


def test_four_failures_lock_nothing_and_a_success_begins_anew(acme):
    email, _ = with_password(acme)
    for _ in range(2):
        fail(acme, email, 4)
        assert log_in(acme, email).status_code == 200


def test_failures_are_forgotten_after_a_while(acme, application):
    email, id = with_password(acme)
    fail(acme, email, 4)
    later(application, acme, id)
    fail(acme, email, 4)
    assert log_in(acme, email).status_code == 200


def test_after_a_lock_it_takes_five_failures_again(acme, application):
    email, id = with_password(acme)
    fail(acme, email, 5)
    later(application, acme, id)
    fail(acme, email, 4)
    assert log_in(acme, email).status_code == 200


def test_a_lock_is_one_users_alone(acme):
    (locked, _), (other, _) = with_password(acme), with_password(acme)
    fail(acme, locked, 5)
    assert log_in(acme, other).status_code == 200


def test_wrong_addresses_lock_nobody_out(acme, application):
    email, _ = with_password(acme)
    fail(acme, "nobody@example.com", 6)
    fail(acme, acme.rep.email, 6)  # who has no password
    assert log_in(acme, email).status_code == 200
    rows = application.database.read(
        acme.profile.id,
        "SELECT failures FROM log_in_attempts WHERE tenant_id = %(tenant)s AND user_id = %(user)s",
        {"user": NOBODY},
    )
    assert rows[0]["failures"] == 5


def test_sixteen_wrong_passwords_at_once_are_five_failures_and_eleven_refusals(acme, application):
    """And a right one among more is refused: no verdict is given behind the fifth."""
    tenant, user = acme.profile.id, UUID(with_password(acme)[1])
    lockouts = Lockouts()

    def attempt(right):
        with application.database.transaction(tenant) as transaction:
            return lockouts.judge(transaction, user, right=right)

    with ThreadPoolExecutor(16) as threads:
        verdicts = list(threads.map(attempt, [False] * 16))
    assert not any(each.allowed for each in verdicts)
    assert [each.told for each in verdicts if each.told] == [(Locked(failures=5, seconds=900),)]
    assert not attempt(True).allowed
    rows = application.database.read(
        tenant,
        "SELECT failures, untold FROM log_in_attempts WHERE tenant_id = %(tenant)s AND user_id = %(user)s",
        {"user": user},
    )
    assert rows == [{"failures": 5, "untold": 12}]


def test_of_many_parallel_guesses_with_the_right_one_behind_five_wrong_none_gets_in(acme):
    email, _ = with_password(acme)
    fail(acme, email, 5)
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: log_in(acme, email).status_code, range(8)))
    assert set(answers) == {401}


def test_right_passwords_at_once_all_get_in(acme):
    email, _ = with_password(acme)
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: log_in(acme, email).status_code, range(8)))
    assert set(answers) == {200}


def test_an_admin_unlocks(acme, rival):
    email, id = with_password(acme)
    fail(acme, email, 5)
    problem(acme.rep.post(f"/users/{id}/unlock"), 403, "forbidden")
    problem(rival.admin.post(f"/users/{id}/unlock"), 404, "not_found")
    problem(acme.admin.post(f"/users/{NO_USER}/unlock"), 404, "not_found")
    problem(log_in(acme, email), 401, "wrong_credentials")
    assert acme.admin.post(f"/users/{id}/unlock").status_code == 204
    assert log_in(acme, email).status_code == 200
    assert acme.admin.post(f"/users/{id}/unlock").status_code == 204


def test_a_password_that_an_admin_sets_ends_the_lock(acme):
    email, id = with_password(acme)
    fail(acme, email, 5)
    acme.admin.post(f"/users/{id}/set-password", {"password": "purple monkey dishwasher"})
    assert log_in(acme, email, "purple monkey dishwasher").status_code == 200


def test_guessing_the_present_password_with_a_stolen_session_locks_too(acme):
    email, _ = with_password(acme)
    bearer = {"Authorization": f"Bearer {log_in(acme, email).json()['access_token']}"}
    for _ in range(5):
        body = {"old_password": "a wrong password", "new_password": "purple monkey dishwasher"}
        answer = acme.client.post(f"{API}/auth/change-password", json=body, headers=bearer)
        problem(answer, 422, "wrong_password")
    body = {"old_password": PASSWORD, "new_password": "purple monkey dishwasher"}
    problem(acme.client.post(f"{API}/auth/change-password", json=body, headers=bearer), 422, "wrong_password")
    problem(log_in(acme, email), 401, "wrong_credentials")


@pytest.mark.parametrize("failures", [1, 3])
def test_the_numbers_can_be_set(acme, application, failures):
    user = UUID(with_password(acme)[1])
    lockouts = Lockouts(failures=failures, window=timedelta(seconds=30))
    with application.database.transaction(acme.profile.id) as transaction:
        for _ in range(failures - 1):
            assert lockouts.judge(transaction, user, right=False).told == ()
        assert lockouts.judge(transaction, user, right=False).told == (Locked(failures=failures, seconds=30),)
        assert not lockouts.judge(transaction, user, right=True).allowed
    later(application, acme, user, minutes=1)
    with application.database.transaction(acme.profile.id) as transaction:
        verdict = lockouts.judge(transaction, user, right=True)
    assert (verdict.allowed, verdict.told) == (True, (LogInsFailed(count=1),))
