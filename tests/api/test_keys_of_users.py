"""What ends a user's API keys beside themselves: another password, ended sessions, deactivation, and an admin."""

from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from application.ports import Append, Idempotency, PrincipalChange, StreamChange
from application.recording import Metadata
from domain.identity.events import UserDeactivated
from domain.permissions import Role
from domain.security.events import ApiKeysRevoked, PasswordReset, PasswordSet, SessionsEnded
from infrastructure.api_keys import ApiKeys
from infrastructure.key_limits import KeyRateLimits
from infrastructure.sessions import Principal
from infrastructure.tokens import AccessTokens, RevokedToken
from tests.api.stand import NOBODY, Company, Person, problem
from tests.api.test_api_keys import ask
from tests.api.test_logging_in import with_password
from tests.api.test_recovery import ask as mailed
from tests.api.test_recovery import post

ENDS = {
    "set-password": ("POST", "/set-password", {"password": "purple monkey dishwasher"}),
    "end-sessions": ("POST", "/end-sessions", {}),
    "deactivate": ("POST", "/deactivate", {}),
    "archive": ("DELETE", "", {}),
}
each_end = pytest.mark.parametrize("how", ENDS)


def key_of(person: Person) -> tuple[UUID, str]:
    answer = person.post("/auth/api-keys", {"name": "A program"})
    assert answer.status_code == 201, answer.text
    return UUID(answer.json()["id"]), answer.json()["key"]


def incident(company: Company, person: Person, how: str, **told: bool) -> None:
    """An admin takes a user's access away, and lets them in again."""
    method, below, body = ENDS[how]
    answer = company.admin.ask(method, f"/users/{person.id}{below}", {**body, **told})
    assert answer.status_code in (200, 204), answer.text


def journal(company: Company, person: Person) -> list[object]:
    return [each.event for each in company.application.store.stream(company.profile.id, f"access-{person.id}")]


@each_end
def test_taking_a_users_access_away_ends_their_keys_for_good(startup, how):
    person, other = startup.hires(Role.REP), startup.hires(Role.REP)
    (_, key), (_, others) = key_of(person), key_of(other)
    incident(startup, person, how)
    problem(ask(startup, key, "GET", "/accounts"), 401, "invalid_token")
    startup.admin.post(f"/users/{person.id}/activate")
    problem(ask(startup, key, "GET", "/accounts"), 401, "invalid_token")
    assert ask(startup, others, "GET", "/accounts").status_code == 200


@each_end
def test_told_to_keep_them_it_keeps_them(startup, how):
    person = startup.hires(Role.REP)
    _, key = key_of(person)
    incident(startup, person, how, keep_api_keys=True)
    if how in ("deactivate", "archive"):
        problem(ask(startup, key, "GET", "/accounts"), 401, "revoked_token")
        assert startup.admin.post(f"/users/{person.id}/activate").status_code == 200
    assert ask(startup, key, "GET", "/accounts").status_code == 200


def test_kept_keys_are_kept_once(startup):
    person = startup.hires(Role.REP)
    _, key = key_of(person)
    incident(startup, person, "deactivate", keep_api_keys=True)
    startup.admin.post(f"/users/{person.id}/activate")
    incident(startup, person, "deactivate")
    startup.admin.post(f"/users/{person.id}/activate")
    problem(ask(startup, key, "GET", "/accounts"), 401, "invalid_token")


def test_the_log_says_which_keys_ended_and_by_whom(startup):
    person, again = startup.hires(Role.REP), startup.hires(Role.REP)
    keys = sorted(key_of(person)[0] for _ in range(2))
    incident(startup, person, "set-password")
    incident(startup, person, "set-password")
    assert journal(startup, person)[2:] == [PasswordSet(), ApiKeysRevoked(keys=tuple(keys)), PasswordSet()]
    key, _ = key_of(again)
    incident(startup, again, "end-sessions")
    assert journal(startup, again)[1:] == [SessionsEnded(), ApiKeysRevoked(keys=(key,))]
    last = startup.application.store.stream(startup.profile.id, f"access-{again.id}")[-1]
    assert last.metadata.actor == f"user-{startup.admin.id}"


def test_the_history_says_that_keys_were_kept(startup):
    person = startup.hires(Role.REP)
    incident(startup, person, "deactivate", keep_api_keys=True)
    changed = startup.admin.get(f"/users/{person.id}/history").json()["items"][-1]["changed"]
    assert {"field": "keeps_api_keys", "before": False, "after": True} in changed


def test_a_repeated_request_ends_no_newer_keys(startup):
    person = startup.hires(Role.REP)
    path = f"/users/{person.id}"
    for _ in range(2):
        assert startup.admin.post(f"{path}/deactivate", {}, **{"Idempotency-Key": "leaves"}).status_code == 200
        startup.admin.post(f"{path}/activate", {}, **{"Idempotency-Key": "returns"})
        person.token = startup.token_of(person.id)
        _, key = key_of(person)
        assert ask(startup, key, "GET", "/accounts").status_code == 200
    assert len(startup.admin.get("/api-keys", user=str(person.id)).json()["items"]) == 2


def test_an_append_that_was_there_already_ends_no_newer_keys(startup):
    """Of two that are sent at once, the second finds the answer of the first in the append itself."""
    person, store = startup.hires(Role.REP), startup.application.store
    leaving = Append(
        metadata=Metadata(actor=f"user-{startup.admin.id}", correlation=uuid7()),
        changes=(StreamChange(stream=f"user-{person.id}", expected=1, events=(UserDeactivated(),)),),
        principals=(
            PrincipalChange(user=person.id, role="rep", manager=None, office=None, active=False, ends_keys=True),
        ),
        idempotency=Idempotency(key="leaves", request=b"leaves"),
    )
    assert not store.append(startup.profile.id, leaving).replayed
    startup.admin.post(f"/users/{person.id}/activate")
    person.token = startup.token_of(person.id)
    _, key = key_of(person)
    assert store.append(startup.profile.id, leaving).replayed
    assert ask(startup, key, "GET", "/accounts").status_code == 200


@pytest.mark.parametrize("kept", [False, True])
def test_a_password_that_is_reset_by_mail_ends_them_unless_told_otherwise(startup, mailbox, kept):
    email, id = with_password(startup)
    person = Person(startup.client, UUID(str(id)), email, startup.token_of(UUID(str(id))))
    (made, key), _ = key_of(person), mailed(startup, email)
    body = {"token": mailbox.token_to(email), "password": "purple monkey dishwasher"}
    told = {"keep_api_keys": True} if kept else {}
    assert post(startup, "reset-password", **body, **told).status_code == 204
    assert ask(startup, key, "GET", "/accounts").status_code == (200 if kept else 401)
    assert [each for each in journal(startup, person) if isinstance(each, PasswordReset | ApiKeysRevoked)] == [
        PasswordReset(),
        *([] if kept else [ApiKeysRevoked(keys=(made,))]),
    ]


def test_ones_own_new_password_leaves_ones_keys(startup):
    person = startup.hires(Role.REP)
    incident(startup, person, "set-password")
    person.token = startup.token_of(person.id)
    _, key = key_of(person)
    body = {"old_password": "purple monkey dishwasher", "new_password": "dishwasher monkey purple"}
    assert person.post("/auth/change-password", body).status_code == 200
    assert ask(startup, key, "GET", "/accounts").status_code == 200


@pytest.mark.parametrize("how", ["set-password", "end-sessions", "deactivate"])
def test_a_request_that_was_under_way_makes_no_key_behind_it(startup, how):
    person = startup.hires(Role.REP)
    application = startup.application
    claims = AccessTokens(application.settings.jwt_secret.get_secret_value()).read(person.token)
    bearer = Principal(tenant=claims.tenant, user=claims.user, session=claims.session, role=Role.REP)
    incident(startup, person, how, keep_api_keys=True)
    with pytest.raises(RevokedToken):
        ApiKeys(application.database).make(bearer, "Too late", None, None, KeyRateLimits())


def test_an_admin_lists_everybodys_keys_page_by_page(startup, rival):
    made = [key_of(person)[0] for person in (startup.rep, startup.viewer, startup.rep)]
    key_of(rival.rep)
    first = startup.admin.get("/api-keys", limit="2")
    assert first.status_code == 200
    second = startup.admin.get("/api-keys", limit="2", cursor=first.json()["next"]).json()
    listed = [*first.json()["items"], *second["items"]]
    assert [UUID(each["id"]) for each in listed] == made[::-1]
    assert second["next"] is None
    assert [each["user"] for each in listed] == [str(startup.rep.id), str(startup.viewer.id), str(startup.rep.id)]
    assert not {"key", "hash"} & set(listed[0])
    one = startup.admin.get("/api-keys", user=str(startup.viewer.id)).json()["items"]
    assert [UUID(each["id"]) for each in one] == [made[1]]
    problem(
        startup.admin.get("/api-keys", user=str(startup.rep.id), cursor=first.json()["next"]), 422, "invalid_cursor"
    )
    problem(startup.admin.get("/api-keys", sort="name"), 422, "invalid_sort")


def test_an_admin_ends_some_of_a_users_keys_or_all(startup):
    (first, key), (second, other), (third, last) = (key_of(startup.rep) for _ in range(3))
    path = f"/users/{startup.rep.id}/end-api-keys"
    answer = startup.admin.post(path, {"keys": [str(first)]})
    assert answer.json() == {"ended": [str(first)]}
    problem(ask(startup, key, "GET", "/accounts"), 401, "invalid_token")
    assert ask(startup, other, "GET", "/accounts").status_code == 200
    assert startup.admin.post(path).json() == {"ended": sorted([str(second), str(third)])}
    problem(ask(startup, last, "GET", "/accounts"), 401, "invalid_token")
    assert startup.admin.post(path).json() == {"ended": []}
    assert [each for each in journal(startup, startup.rep) if isinstance(each, ApiKeysRevoked)] == [
        ApiKeysRevoked(keys=(first,)),
        ApiKeysRevoked(keys=(second, third)),
    ]


def test_a_key_that_is_not_that_users_ends_none(startup, rival):
    (mine, key), (viewers, _), (theirs, _) = key_of(startup.rep), key_of(startup.viewer), key_of(rival.rep)
    path = f"/users/{startup.rep.id}/end-api-keys"
    for strange in (viewers, theirs, NOBODY):
        problem(startup.admin.post(path, {"keys": [str(mine), str(strange)]}), 404, "not_found")
    problem(rival.admin.post(path), 404, "not_found")
    assert ask(startup, key, "GET", "/accounts").status_code == 200


def test_only_admins_see_and_end_the_keys_of_others(startup):
    _, key = key_of(startup.admin)
    for person in (startup.rep, startup.viewer, startup.people[Role.MANAGER]):
        problem(person.get("/api-keys"), 403, "forbidden")
        problem(person.post(f"/users/{startup.admin.id}/end-api-keys"), 403, "forbidden")
    assert ask(startup, key, "GET", "/accounts").status_code == 200
