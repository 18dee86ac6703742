"""Logging in: who may, how long it takes to find out, and that the tenant is found."""

import time
from uuid import UUID, uuid4

import msgspec
import pytest
from argon2 import PasswordHasher
from argon2.profiles import CHEAPEST
from uuid_utils.compat import uuid7

from api.commandline.seeding import seed_admin
from api.published_password import PUBLISHED_PASSWORD
from application.platform import PLATFORM
from domain.tenants.commands import DeactivateTenant
from infrastructure.tokens import AccessTokens
from tests.api.doors import opened
from tests.api.stand import API, PASSWORD, Company, company, metric, problem
from tests.fixtures import JWT_SECRET


def log_in(company: Company, email: str, password: str = PASSWORD, **others):
    body = {"email": email, "password": password, "tenant": company.profile.subdomain, **others}
    body = {name: value for name, value in body.items() if value is not None}
    return company.client.post(f"{API}/auth/login", json=body)


def with_password(company: Company, password: str = PASSWORD, role: str = "rep"):
    """A user made over HTTP with a password; their address and id."""
    email = f"{uuid4()}@Example.com"
    told = {"first_name": "Grace", "last_name": "Hopper", "email": email, "role": role, "password": password}
    return email, company.admin.makes("/users", told)


@pytest.fixture(scope="module")
def grace(acme):
    return with_password(acme)


def test_logging_in_opens_the_api(acme, grace):
    email, id = grace
    answer = log_in(acme, email)
    assert answer.status_code == 200, answer.text
    tokens = answer.json()
    assert set(tokens) == {"access_token", "refresh_token", "token_type", "expires_in"}
    assert (tokens["token_type"], tokens["expires_in"]) == ("Bearer", 900)
    me = acme.client.get(f"{API}/auth/me", headers={"Authorization": f"Bearer {tokens['access_token']}"}).json()
    assert me["id"] == id
    assert me["email"] == email
    assert me["role"] == "rep"
    assert "deal:create" in me["permissions"]
    assert me["tenant"]["id"] == str(acme.profile.id)


def test_an_address_is_known_in_any_case(acme, grace):
    assert log_in(acme, grace[0].upper()).status_code == 200


def test_the_tenant_may_be_named_by_its_id(acme, grace):
    assert log_in(acme, grace[0], tenant=str(acme.profile.id)).status_code == 200


def test_the_tenant_may_be_the_hosts_first_label(acme, grace):
    def at(host):
        body = {"email": grace[0], "password": PASSWORD}
        return acme.client.post(f"{API}/auth/login", json=body, headers={"Host": host}).status_code

    assert at(f"{acme.profile.subdomain}.example.com") == 200
    assert at(f"{acme.profile.subdomain}.example.com:3000") == 200
    assert at("127.0.0.1:3000") == 401
    assert at("[::1]:3000") == 401
    assert at("other.example.com") == 401


def test_every_wrong_log_in_gets_the_same_answer(acme, rival, application, client, grace):
    email, id = grace
    deactivated, gone = with_password(acme)
    acme.admin.post(f"/users/{gone}/deactivate")
    closed = company(application, client)
    inside, _ = with_password(closed)
    assert log_in(closed, inside).status_code == 200
    operator = msgspec.structs.replace(sender(closed), tenant=PLATFORM)
    application.handler.handle(operator, "tenant", closed.profile.id, DeactivateTenant())
    answers = [
        log_in(acme, email, "wrong password"),
        log_in(acme, email, ""),
        log_in(acme, f"nobody-{email}"),
        log_in(acme, deactivated),
        log_in(acme, acme.rep.email),
        log_in(rival, email),
        log_in(acme, email, tenant="no-such-tenant"),
        log_in(acme, email, tenant=str(uuid7())),
        log_in(acme, email, tenant=None),
        log_in(closed, inside),
    ]
    told = [{**problem(each, 401, "wrong_credentials"), "request_id": None} for each in answers]
    assert all(each == told[0] for each in told)
    assert id not in answers[0].text


def test_an_unknown_user_takes_as_long_as_a_wrong_password_or_a_locked_account(acme):
    known, _ = with_password(acme)

    def seconds(email):
        start = time.perf_counter()
        assert log_in(acme, email, "wrong password").status_code == 401
        return time.perf_counter() - start

    seconds(known)
    pairs = [(seconds(known), seconds(f"{uuid4()}@example.com")) for _ in range(7)]
    # The least is what the work itself takes: of all that a busy machine adds, each time has another share.
    wrong, unknown = (min(each) for each in zip(*pairs, strict=True))
    assert 0.6 < unknown / wrong < 1.6, (wrong, unknown)


def test_a_password_in_an_outdated_form_is_hashed_anew(acme, application):
    email, id = with_password(acme)
    outdated = PasswordHasher.from_parameters(CHEAPEST).hash(PASSWORD)
    with application.database.transaction(acme.profile.id) as transaction:
        transaction.execute(
            "UPDATE credentials SET password_hash = %(hash)s WHERE tenant_id = %(tenant)s AND user_id = %(user)s",
            {"hash": outdated, "user": UUID(id)},
        )
    assert log_in(acme, email).status_code == 200
    assert stored(application, acme, id).startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert log_in(acme, email).status_code == 200


def test_the_body_is_checked(acme):
    answer = acme.client.post(f"{API}/auth/login", json={"email": 1, "pass": "x"})
    told = problem(answer, 422, "invalid_request")
    assert {each["pointer"] for each in told["errors"]} == {"/email", "/pass", "/password"}
    assert "x" not in {each["detail"] for each in told["errors"]}


@pytest.mark.parametrize("email", ["\0", "", "a" * 254, "' OR 1=1 --", "ada@example.com\n"])
def test_an_odd_address_is_just_wrong(acme, email):
    problem(log_in(acme, email), 401, "wrong_credentials")


def test_log_ins_are_counted(acme, grace):
    ok, wrong = (f'clientforge_log_ins_total{{outcome="{outcome}"}}' for outcome in ("ok", "wrong_credentials"))
    before = {each: metric(acme.client, each) for each in (ok, wrong)}
    log_in(acme, grace[0])
    for _ in range(2):
        log_in(acme, grace[0], "wrong password")
    assert {each: metric(acme.client, each) - before[each] for each in before} == {ok: 1, wrong: 2}


def test_a_secret_signs_tokens_that_no_other_secret_reads(acme):
    forged = AccessTokens("another secret of 32 characters!").issue(AccessTokens(JWT_SECRET).read(acme.rep.token))
    answer = acme.client.get(f"{API}/auth/me", headers={"Authorization": f"Bearer {forged}"})
    problem(answer, 401, "invalid_token")


def stored(application, company, user):
    rows = application.database.read(
        company.profile.id,
        "SELECT password_hash FROM credentials WHERE tenant_id = %(tenant)s AND user_id = %(user)s",
        {"user": UUID(user)},
    )
    return rows[0]["password_hash"]


def sender(company):
    from application.handling import Sender
    from application.tenancy import OPERATOR

    return Sender(tenant=company.profile.id, actor="cli", permissions=OPERATOR, correlation=uuid7())


def test_the_published_password_opens_nothing_of_any_tenant_in_production(application, acme):
    """As it does where a system that was tried out becomes one of production."""
    with opened(application) as client:
        seed_admin(application, acme.profile, "seeded@example.com", None)
        body = {"email": "seeded@example.com", "password": PUBLISHED_PASSWORD, "tenant": acme.profile.subdomain}
        assert client.post(f"{API}/auth/login", json=body).status_code == 200
    with opened(application, environment="production", public_url="https://crm.example.com") as client:
        problem(client.post(f"{API}/auth/login", json=body), 401, "wrong_credentials")
