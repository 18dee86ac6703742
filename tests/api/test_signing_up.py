"""Signing up: a tenant of one's own, whose admin gets in by the mailed link and not before."""

from dataclasses import replace
from uuid import uuid4

import pytest

from application.platform import PLATFORM
from application.recording import stream_name
from domain.permissions import Role
from domain.security.events import Invited
from domain.tenants.signing_up import RESERVED
from tests.api.doors import opened
from tests.api.stand import problem
from tests.api.test_invitations import accept
from tests.api.test_logging_in import log_in
from tests.api.test_recovery import CHOSEN, ask, post
from tests.mailbox import link_in


@pytest.fixture
def door(application, acme):
    """A system where people may sign up."""
    with opened(application, sign_up=True) as client:
        yield replace(acme, client=client)


@pytest.fixture
def body():
    """What somebody fills in."""
    own = uuid4().hex[:8]
    return {
        "company": "Ada's Engines",
        "subdomain": f"engines-{own}",
        "time_zone": "Europe/London",
        "first_name": "Ada",
        "last_name": "Lovelace",
        "email": f"ada-{own}@example.com",
    }


def register(where, body):
    return post(where, "register", **body)


def test_who_signs_up_gets_a_tenant_and_is_its_admin_once_they_open_the_link(door, application, body, mailbox):
    answer = register(door, body)
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert made["subdomain"] == body["subdomain"]
    profile = application.tenancy.find(body["subdomain"])
    assert (str(profile.id), profile.time_zone, profile.max_users) == (made["tenant"], "Europe/London", 5)
    own = replace(door, profile=profile)
    problem(log_in(own, body["email"], CHOSEN), 401, "wrong_credentials")
    (mail,) = mailbox.to(body["email"])
    assert link_in(mail) == "http://localhost:3000/accept-invitation"
    assert accept(door, mailbox.token_to(body["email"])).status_code == 204
    tokens = log_in(own, body["email"], CHOSEN).json()
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    me = door.client.get("/api/v1/auth/me", headers=bearer).json()
    assert (me["role"], me["email"], me["tenant"]["name"]) == (Role.ADMIN, body["email"], "Ada's Engines")
    assert door.client.post("/api/v1/deals", json={"name": "A"}, headers=bearer).status_code == 201
    [invited] = [each for each in application.store.log(profile.id, after=0, limit=100) if each.event == Invited()]
    assert (invited.metadata.actor, invited.entity) == ("sign-up", "access")
    assert stream_name("access", invited.id).endswith(me["id"])


def test_a_link_that_was_lost_can_be_had_again(door, application, body, mailbox):
    register(door, body)
    mailbox.to(body["email"])
    ask(replace(door, profile=application.tenancy.find(body["subdomain"])), body["email"], "resend-verification")
    assert accept(door, mailbox.token_to(body["email"], 2)).status_code == 204


def test_nobody_signs_up_unless_the_operator_lets_them(acme, application, body):
    told = problem(register(acme, body), 403, "sign_up_off")
    assert "operator" in told["detail"]
    with pytest.raises(Exception, match="no tenant"):
        application.tenancy.find(body["subdomain"])


def test_a_subdomain_is_taken_once_and_nobody_learns_by_whom(door, acme, body):
    assert register(door, body).status_code == 201
    told = problem(register(door, {**body, "email": f"other-{body['email']}"}), 409, "already_taken")
    assert told["errors"][0]["pointer"] == "/subdomain"
    assert "details" not in told
    told = problem(
        register(door, {**body, "subdomain": acme.profile.subdomain, "email": "a@b.co"}), 409, "already_taken"
    )
    assert str(acme.profile.id) not in str(told)


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        *(
            ("subdomain", name, "invalid_value")
            for name in ("www", "admin", "platform", "mail", "xn--80ak6aa92e", "ab")
        ),
        ("subdomain", "01900000-0000-7000-8000-000000000042", "invalid_value"),
        *(("subdomain", name, "invalid_request") for name in ("Acme", "a_b", "-acme", "acme.evil", "", "a" * 64)),
        ("email", "no address", "invalid_value"),
        ("email", "a@b.co\r\nBcc: c@d.co", "invalid_value"),
        ("company", "Acme\0", "invalid_value"),
        ("first_name", "Ada\x1b", "invalid_value"),
        ("time_zone", "Mars", "invalid_value"),
        ("plan", "enterprise", "invalid_request"),
    ],
)
def test_what_cant_be_is_refused_by_its_field_and_makes_nothing(door, application, body, field, value, code):
    before = application.store.head(PLATFORM)
    told = problem(register(door, {**body, field: value}), 422, code)
    assert told["errors"][0]["pointer"] == f"/{field}"
    assert application.store.head(PLATFORM) == before


def test_a_name_adds_nothing_to_the_mail(door, body, mailbox):
    company = "Acme\r\nBcc: c@d.co\r\n\r\nhttps://evil.example"
    assert register(door, {**body, "company": company}).status_code == 201
    (mail,) = mailbox.to(body["email"])
    assert mail["Bcc"] is None
    assert mail["Subject"] == "Your account at Acme Bcc c d co https evil example"
    assert "evil.example" not in mail.get_content()


def test_reserved_names_could_all_be_asked_for():
    assert all(each == each.lower() and " " not in each for each in RESERVED)
    assert {"www", "api", "mail", "admin", "login", "support", "status"} <= RESERVED


def test_one_address_is_mailed_only_so_often_by_sign_ups(door, body):
    def again():
        return register(door, {**body, "subdomain": f"engines-{uuid4().hex[:8]}"})

    assert [again().status_code for _ in range(5)] == [201] * 5
    problem(again(), 429, "too_many_mails")


def test_without_mail_nobody_can_sign_up(application, acme, body):
    with opened(application, sign_up=True, smtp_host=None) as client:
        problem(register(replace(acme, client=client), body), 403, "mail_not_set_up")
