"""Invitations: an admin lets somebody in, who chooses the first password themselves."""

import time
from uuid import UUID, uuid4

import pytest

from application.recording import stream_name
from domain.permissions import Role
from domain.security.events import InvitationAccepted, Invited
from tests.api.doors import at, opened
from tests.api.stand import NOBODY, company, problem
from tests.api.test_logging_in import log_in, with_password
from tests.api.test_recovery import CHOSEN, ask, is_verified, later, post
from tests.mailbox import link_in, token_in


def accept(where, token, password=CHOSEN):
    return post(where, "accept-invitation", token=token, password=password)


@pytest.fixture
def newcomer(acme):
    """A user without a password; their address and id."""
    email = f"{uuid4()}@example.com"
    told = {"first_name": "Grace", "last_name": "Hopper", "email": email, "role": "rep"}
    return email, acme.admin.makes("/users", told)


@pytest.fixture
def invited(acme, newcomer, mailbox):
    """The mail that the newcomer got."""
    assert acme.admin.post(f"/users/{newcomer[1]}/invite").status_code == 204
    return mailbox.to(newcomer[0])[-1]


def test_who_is_invited_chooses_a_password_and_is_in(acme, application, newcomer, invited):
    email, id = newcomer
    problem(log_in(acme, email, CHOSEN), 401, "wrong_credentials")
    assert link_in(invited) == "http://localhost:3000/accept-invitation"
    assert "within 7 days" in invited.get_content()
    assert accept(acme, token_in(invited)).status_code == 204
    assert log_in(acme, email, CHOSEN).status_code == 200
    assert is_verified(acme, id) is True
    problem(accept(acme, token_in(invited)), 422, "link_not_valid")
    found = application.store.stream(acme.profile.id, stream_name("access", UUID(id)))
    assert [(each.event, each.metadata.actor) for each in found[:2]] == [
        (Invited(), f"user-{acme.admin.id}"),
        (InvitationAccepted(), f"user-{id}"),
    ]


def test_a_weak_first_password_leaves_the_invitation_as_it_is(acme, invited):
    problem(accept(acme, token_in(invited), "passwordpassword"), 422, "weak_password")
    assert accept(acme, token_in(invited)).status_code == 204


def test_an_invitation_is_good_for_seven_days_and_can_be_had_again(acme, application, newcomer, invited, mailbox):
    email, id = newcomer
    later(application, acme, id, 7 * 24)
    problem(accept(acme, token_in(invited)), 422, "link_not_valid")
    for number, kind in enumerate(("resend-verification", "request-password-reset"), 2):
        ask(acme, email, kind)
        mail = mailbox.to(email, number)[-1]
        assert link_in(mail) == "http://localhost:3000/accept-invitation"
    assert accept(acme, token_in(mail)).status_code == 204


def test_who_was_never_invited_gets_no_link(acme, newcomer, mailbox):
    for kind in ("resend-verification", "request-password-reset"):
        ask(acme, newcomer[0], kind)
    time.sleep(0.4)
    assert [each for each in mailbox.mails if str(each["To"]) == newcomer[0]] == []


def test_a_password_that_an_admin_sets_makes_an_invitation_void(acme, newcomer, invited):
    acme.admin.post(f"/users/{newcomer[1]}/set-password", {"password": "yellow submarine lighthouse"})
    problem(accept(acme, token_in(invited)), 422, "link_not_valid")
    problem(acme.admin.post(f"/users/{newcomer[1]}/invite"), 409, "invitation_not_needed")


def test_a_deactivated_user_accepts_nothing(acme, newcomer, invited):
    acme.admin.post(f"/users/{newcomer[1]}/deactivate")
    problem(accept(acme, token_in(invited)), 422, "link_not_valid")
    problem(acme.admin.post(f"/users/{newcomer[1]}/invite"), 409, "archived")


def test_only_admins_invite_and_only_their_own(acme, rival, newcomer):
    path = f"/users/{newcomer[1]}/invite"
    for role in (Role.VIEWER, Role.REP, Role.MANAGER):
        problem(acme.people[role].post(path), 403, "forbidden")
    problem(rival.admin.post(path), 404, "not_found")
    problem(acme.admin.post(f"/users/{NOBODY}/invite"), 404, "not_found")


def test_who_has_no_address_or_a_password_is_not_invited(acme):
    silent = acme.admin.makes("/users", {"first_name": "A", "last_name": "B"})
    told = problem(acme.admin.post(f"/users/{silent}/invite"), 422, "invalid_value")
    assert told["errors"][0]["pointer"] == "/email"
    problem(acme.admin.post(f"/users/{with_password(acme)[1]}/invite"), 409, "invitation_not_needed")


def test_an_admin_is_told_when_an_address_has_had_its_mails(acme, newcomer):
    path = f"/users/{newcomer[1]}/invite"
    assert [acme.admin.post(path).status_code for _ in range(5)] == [204] * 5
    answer = acme.admin.post(path)
    problem(answer, 429, "too_many_mails")
    assert 0 < int(answer.headers["retry-after"]) <= 3600


def test_a_system_without_mail_says_so(acme, application, newcomer):
    with opened(application, smtp_host=None) as client:
        problem(at(client, acme.admin).post(f"/users/{newcomer[1]}/invite"), 403, "mail_not_set_up")


def test_no_mail_says_what_a_tenant_could_mislead_with(application, client, mailbox):
    made = company(application, client)
    assert made.admin.patch("/tenant", {"name": 'Win at https://evil.example/now <b>"Bcc: x"'}).status_code == 200
    email = f"{uuid4()}@example.com"
    told = {"first_name": "http://evil.example", "last_name": "Hopper", "email": email}
    id = made.admin.makes("/users", told)
    assert made.admin.post(f"/users/{id}/invite").status_code == 204
    (mail,) = mailbox.to(email)
    text = str(mail["Subject"]) + mail.get_content()
    assert "evil.example" not in text
    assert "Win at https" in text
    assert set(mail.keys()) <= {
        *("From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version"),
        *("Content-Type", "Content-Transfer-Encoding", "X-Peer", "X-MailFrom", "X-RcptTo"),
    }
