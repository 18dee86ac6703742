"""Another password by mail: for whom it is, once, in time, and nobody learns who has an account."""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from uuid import UUID, uuid4

import msgspec
import pytest

from api.headers import MIN_POSITION
from application.platform import PLATFORM
from application.recording import stream_name
from domain.security.events import PasswordReset
from domain.tenants.commands import DeactivateTenant
from infrastructure.mailed_tokens import Kind, MailedToken
from infrastructure.wakeups import WakeUps
from tests.api.devices import enrolled
from tests.api.doors import gone_redis, opened
from tests.api.stand import API, PASSWORD, company, problem
from tests.api.test_lockouts import fail
from tests.api.test_logging_in import log_in, sender, with_password
from tests.mailbox import link_in, token_in

CHOSEN = "purple monkey dishwasher"
EASY = "passwordpassword"


def post(where, operation, **body):
    return where.client.post(f"{API}/auth/{operation}", json=body)


def is_verified(where, id):
    """What the read model says when it has passed all that happened."""
    position = str(where.application.store.head(where.profile.id))
    return where.admin.ask("GET", f"/users/{id}", headers={MIN_POSITION: position}).json()["verified"]


def ask(where, email, kind="request-password-reset", tenant=None):
    return post(where, kind, email=email, tenant=tenant or where.profile.subdomain)


def reset(where, token, password=CHOSEN):
    return post(where, "reset-password", token=token, password=password)


def look(where, token):
    return post(where, "validate-reset-token", token=token)


def later(application, company, user, hours):
    """Moves a user's tokens into the past."""
    with application.database.transaction(company.profile.id) as transaction:
        transaction.execute(
            "UPDATE mailed_tokens SET expires_at = expires_at - make_interval(secs => %(by)s)"
            " WHERE tenant_id = %(tenant)s AND user_id = %(user)s",
            {"by": hours * 3600, "user": UUID(str(user))},
        )


@pytest.fixture
def ada(acme):
    return with_password(acme)


@pytest.fixture
def token(acme, ada, mailbox):
    """The token that was mailed to her."""
    assert ask(acme, ada[0]).status_code == 202
    return mailbox.token_to(ada[0])


def test_a_mailed_link_gives_another_password_and_ends_sessions(acme, ada, token, mailbox):
    email, id = ada
    tokens = log_in(acme, email).json()
    (mail,) = mailbox.to(email)
    assert link_in(mail) == "http://localhost:3000/reset-password"
    assert "within 1 hour" in mail.get_content()
    told = look(acme, token)
    assert told.status_code == 200, told.text
    assert reset(acme, token).status_code == 204
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    problem(acme.client.get(f"{API}/auth/me", headers=bearer), 401, "revoked_token")
    assert acme.client.post(f"{API}/auth/refresh", json={"refresh_token": tokens["refresh_token"]}).status_code == 401
    problem(log_in(acme, email), 401, "wrong_credentials")
    assert log_in(acme, email, CHOSEN).status_code == 200
    assert is_verified(acme, id) is True


def test_a_link_works_once(acme, token):
    assert reset(acme, token).status_code == 204
    problem(reset(acme, token, "another of my passwords 7"), 422, "link_not_valid")
    problem(look(acme, token), 422, "link_not_valid")


def test_of_many_who_use_a_link_at_once_one_gets_through(acme, ada, token):
    passwords = [f"{CHOSEN} number {number}" for number in range(4)]
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(lambda each: reset(acme, token, each).status_code, passwords))
    assert sorted(answers) == [204, 422, 422, 422]
    right = passwords[answers.index(204)]
    assert [log_in(acme, ada[0], each).status_code for each in passwords].count(200) == 1
    assert log_in(acme, ada[0], right).status_code == 200


def test_a_reset_gives_no_new_guesses_at_the_codes_of_a_second_factor(acme, mailbox):
    locked = enrolled(acme)
    for _ in range(5):
        problem(locked.logs_in(locked.device.wrong_code()), 401, "wrong_credentials")
    ask(acme, locked.email)
    assert reset(acme, mailbox.token_to(locked.email)).status_code == 204
    problem(locked.logs_in(locked.device.code(1), CHOSEN), 401, "wrong_credentials")


def test_a_reset_ends_a_lock_and_is_an_event_of_its_user(acme, application, ada, mailbox):
    email, id = ada
    fail(acme, email, 5)
    ask(acme, email)
    assert reset(acme, mailbox.token_to(email)).status_code == 204
    assert log_in(acme, email, CHOSEN).status_code == 200
    found = application.store.stream(acme.profile.id, stream_name("access", UUID(id)))
    [event] = [each for each in found if each.event == PasswordReset()]
    assert event.metadata.actor == f"user-{id}"
    assert application.store.open_address(event) == "testclient"


def test_a_link_is_good_for_an_hour(acme, application, ada, token):
    later(application, acme, ada[1], 0.98)
    assert look(acme, token).status_code == 200
    later(application, acme, ada[1], 0.03)
    problem(look(acme, token), 422, "link_not_valid")
    problem(reset(acme, token), 422, "link_not_valid")
    assert log_in(acme, ada[0]).status_code == 200


def test_a_newer_link_takes_the_place_of_the_one_before(acme, ada, token, mailbox):
    ask(acme, ada[0])
    newer = mailbox.token_to(ada[0], 2)
    problem(reset(acme, token), 422, "link_not_valid")
    assert reset(acme, newer).status_code == 204


def change_password(acme, ada):
    bearer = {"Authorization": f"Bearer {log_in(acme, ada[0]).json()['access_token']}"}
    body = {"old_password": PASSWORD, "new_password": "yellow submarine lighthouse"}
    assert acme.client.post(f"{API}/auth/change-password", json=body, headers=bearer).status_code == 200


def have_it_changed(acme, ada):
    acme.admin.post(f"/users/{ada[1]}/set-password", {"password": "yellow submarine lighthouse"})


def come_back(acme, ada):
    assert acme.admin.post(f"/users/{ada[1]}/deactivate").status_code == 200
    assert acme.admin.post(f"/users/{ada[1]}/activate").status_code == 200


def leave(acme, ada):
    assert acme.admin.post(f"/users/{ada[1]}/deactivate").status_code == 200


def move(acme, ada):
    assert acme.admin.patch(f"/users/{ada[1]}", {"email": f"new-{ada[0]}"}).status_code == 200


def move_and_return(acme, ada):
    move(acme, ada)
    assert acme.admin.patch(f"/users/{ada[1]}", {"email": ada[0]}).status_code == 200


@pytest.mark.parametrize("change", [change_password, have_it_changed, come_back, leave, move, move_and_return])
def test_what_changes_access_or_address_makes_links_void(acme, ada, token, change):
    change(acme, ada)
    problem(look(acme, token), 422, "link_not_valid")
    problem(reset(acme, token), 422, "link_not_valid")


def test_other_changes_leave_a_link_good(acme, ada, token):
    assert acme.admin.patch(f"/users/{ada[1]}", {"office": "Paris", "last_name": "Lovelace"}).status_code == 200
    assert acme.admin.post(f"/users/{ada[1]}/role", {"role": "manager"}).status_code == 200
    assert reset(acme, token).status_code == 204


def test_a_weak_password_leaves_the_link_as_it_is(acme, ada, token):
    problem(reset(acme, token, EASY), 422, "weak_password")
    problem(reset(acme, token, f"{ada[0]} 12"), 422, "weak_password")
    assert reset(acme, token).status_code == 204


def test_a_made_up_token_learns_nothing_of_its_user(acme, ada, token):
    """Not even by a password that is weak, as one that holds the user's name would be."""
    right = MailedToken.read(Kind.RESET, token)
    for wrong in (
        msgspec.structs.replace(right, secret=bytes(32)),
        msgspec.structs.replace(right, kind=Kind.INVITATION),
        msgspec.structs.replace(right, tenant=PLATFORM),
        msgspec.structs.replace(right, user=uuid4()),
    ):
        problem(reset(acme, wrong.text, EASY), 422, "link_not_valid")
    for odd in ("", "cfl_", token[:-4], token + "AAAA", "é", "\0", "cfl_" + "A" * 100):
        problem(look(acme, odd), 422, "link_not_valid")
    assert len(right.secret) * 8 >= 256
    assert reset(acme, token).status_code == 204


def test_nobody_learns_whether_an_address_has_an_account(acme, rival, application, client, mailbox):
    known, _ = with_password(acme)
    left, gone = with_password(acme)
    acme.admin.post(f"/users/{gone}/deactivate")
    closed = company(application, client)
    inside, _ = with_password(closed)
    operator = msgspec.structs.replace(sender(closed), tenant=PLATFORM)
    application.handler.handle(operator, "tenant", closed.profile.id, DeactivateTenant())
    answers = [
        ask(where, email, kind, tenant)
        for kind in ("request-password-reset", "resend-verification")
        for where, email, tenant in (
            (acme, known, None),
            (acme, f"nobody-{known}", None),
            (acme, left, None),
            (acme, acme.rep.email, None),
            (acme, known, "no-such-tenant"),
            (rival, known, None),
            (closed, inside, None),
            (acme, "\0' OR 1=1 --", None),
        )
    ]
    own = {"x-request-id", "ratelimit"}
    told = [(each.status_code, each.content, {*each.headers.items()} - _of(each, own)) for each in answers]
    assert told[0][:2] == (202, b"")
    assert all(each == told[0] for each in told)
    assert len(mailbox.to(known, 2)) == 2
    time.sleep(0.3)
    for email in (left, acme.rep.email, inside, f"nobody-{known}"):
        assert [each for each in mailbox.mails if str(each["To"]) == email] == []


def _of(answer, names):
    return {each for each in answer.headers.items() if each[0] in names}


def test_an_unknown_address_takes_as_long_as_a_known_one(application, acme, ada):
    """The mail itself is sent by another process, which in these tests would share this one's interpreter."""
    unread = replace(application, announcements=WakeUps(application.redis, prefix=f"{{{uuid4().hex}}}"))
    # Another user each time: who has had their hour's mails is treated as nobody.
    known = [with_password(acme)[0] for _ in range(12)]
    with opened(unread) as client:
        where = replace(acme, client=client)

        def seconds(email):
            start = time.perf_counter()
            assert ask(where, email).status_code == 202
            return time.perf_counter() - start

        seconds(ada[0])
        pairs = [(seconds(email), seconds(f"{uuid4()}@example.com")) for email in known]
    slow, fast = (min(each) for each in zip(*pairs, strict=True))
    assert 0.6 < fast / slow < 1.6, (slow, fast)


def test_an_address_gets_only_so_many_mails_an_hour_and_the_last_link_stays_good(acme, ada, mailbox):
    for number in range(5):
        assert ask(acme, ada[0]).status_code == 202
        mailbox.to(ada[0], number + 1)
    for _ in range(3):
        assert ask(acme, ada[0]).status_code == 202
    time.sleep(0.5)
    assert len(mailbox.to(ada[0])) == 5
    assert reset(acme, mailbox.token_to(ada[0], 5)).status_code == 204


def test_who_asks_for_others_addresses_keeps_nobody_from_their_mail(acme, rival, ada, mailbox):
    for _ in range(8):
        ask(rival, ada[0])
    ask(acme, ada[0])
    assert mailbox.to(ada[0])


def test_a_verification_shows_on_the_user_and_goes_with_another_address(acme, ada, mailbox):
    email, id = ada
    assert is_verified(acme, id) is False
    ask(acme, email, "resend-verification")
    (mail,) = mailbox.to(email)
    assert link_in(mail) == "http://localhost:3000/verify-email"
    assert "within 1 day" in mail.get_content()
    problem(reset(acme, token_in(mail)), 422, "link_not_valid")

    def verify():
        return post(acme, "verify-email", token=token_in(mail))

    assert verify().status_code == 204
    problem(verify(), 422, "link_not_valid")
    assert is_verified(acme, id) is True
    shown = acme.admin.get(f"/users/{id}/history").json()["items"][-1]
    assert (shown["type"], shown["actor"]) == ("user.email_verified.v1", f"user-{id}")
    ask(acme, email, "resend-verification")
    time.sleep(0.4)
    assert len(mailbox.to(email)) == 1, "who is verified gets no more of these"
    move(acme, ada)
    assert is_verified(acme, id) is False


def test_a_verification_of_an_address_that_was_left_is_void(acme, ada, mailbox):
    ask(acme, ada[0], "resend-verification")
    token = mailbox.token_to(ada[0])
    move(acme, ada)
    problem(post(acme, "verify-email", token=token), 422, "link_not_valid")
    assert is_verified(acme, ada[1]) is False


def test_links_of_a_tenant_that_was_deactivated_are_void(application, client, mailbox):
    closed = company(application, client)
    email, _ = with_password(closed)
    ask(closed, email)
    token = mailbox.token_to(email)
    operator = msgspec.structs.replace(sender(closed), tenant=PLATFORM)
    application.handler.handle(operator, "tenant", closed.profile.id, DeactivateTenant())
    problem(reset(closed, token), 422, "link_not_valid")


def test_a_system_without_mail_says_so_to_everybody(application, acme, ada):
    with opened(application, smtp_host=None) as client:
        without = replace(acme, client=client)
        for email in (ada[0], f"{uuid4()}@example.com"):
            problem(ask(without, email), 403, "mail_not_set_up")
            problem(ask(without, email, "resend-verification"), 403, "mail_not_set_up")


def test_without_redis_nothing_is_promised(application, acme, ada):
    away = replace(application, announcements=replace_client(application), redis=gone_redis())
    with opened(away, away=gone_redis()) as client:
        without = replace(acme, client=client)
        for email in (ada[0], f"{uuid4()}@example.com"):
            problem(ask(without, email), 503, "unavailable")


def replace_client(application):
    return WakeUps(gone_redis(), prefix=application.settings.redis_prefix)


def test_the_queue_holds_no_address_and_no_token(application, acme, ada):
    """Nor does anything else in Redis, while the message waits for a worker."""
    unread = f"{{{uuid4().hex}}}"
    with opened(replace(application, announcements=WakeUps(application.redis, prefix=unread))) as client:
        assert ask(replace(acme, client=client), ada[0]).status_code == 202
    messages = application.redis.hgetall(f"{unread}:projections.msgs").values()
    assert any(ada[1].encode() in each for each in messages), "it waits, and says whose it is"
    held = [*messages]
    for key in application.redis.scan_iter("*"):
        if application.redis.type(key) == b"hash":
            held += application.redis.hgetall(key).values()
        held.append(key)
    text = b" ".join(held).decode(errors="replace")
    assert ada[0].casefold() not in text.casefold()
    assert b"token" not in b" ".join(messages)
