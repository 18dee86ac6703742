"""Passwords that people set: long, known to few, and not about their owner."""

import time
from uuid import uuid4

import pytest

from infrastructure.passwords import WeakPassword, check_password
from tests.api.stand import problem
from tests.api.test_logging_in import with_password


@pytest.mark.parametrize(
    "password",
    [
        "password1234",
        "Password123!",
        "qwertyuiop123",
        "aaaaaaaaaaaaaaaaaaaaaaaa",
        "123456789012",
        "iloveyou1234",
        "adminadminadmin",
        "x" * 1000,
        "\ud800" * 12,
    ],
)
def test_a_password_that_many_use_is_refused(password):
    with pytest.raises(WeakPassword, match="easy to guess"):
        check_password(password, "/password")


@pytest.mark.parametrize("password", ["correct horse battery staple", "Tr0ub4dour&3-x9", "ключ под ковриком дома"])
def test_a_password_that_few_would_guess_is_taken(password):
    check_password(password, "/password", about=("Ada", "Lovelace", "ada@example.com", "Acme", "acme"))


@pytest.mark.parametrize(
    "password",
    [
        "ada.lovelace@example.com",
        "Ada.Lovelace@Example.COM",
        "Lovelace_Lovelace!",
        "Wolkenkuckucksheim Inc",
        "Lovelace+Wolkenkuckucksheim=99",
    ],
)
def test_a_password_that_says_whose_it_is_is_refused(password):
    with pytest.raises(WeakPassword, match="words that have nothing to do"):
        check_password(password, "/password", about=("ada.lovelace@example.com", "wolkenkuckucksheim inc"))


def test_it_is_the_owner_that_makes_it_weak():
    check_password("wolkenkuckucksheim", "/password")
    with pytest.raises(WeakPassword):
        check_password("wolkenkuckucksheim", "/password", about=("Wolkenkuckucksheim",))


def test_a_password_made_to_be_slow_to_judge_takes_no_long_time():
    start = time.perf_counter()
    check_password("4@8({[<3691!|70$5+%2" * 40, "/password")
    assert time.perf_counter() - start < 2


def test_everybody_who_sets_a_password_is_told_what_would_be_right(acme):
    own = f"{uuid4().hex}@example.com"
    body = {"first_name": "Zebulon", "last_name": "Quartermaine", "email": own, "password": own.upper()}
    told = problem(acme.admin.post("/users", body), 422, "weak_password")
    assert told["errors"][0]["pointer"] == "/password"
    assert "several words" in told["errors"][0]["detail"]
    _, id = with_password(acme)
    for weak in ("password1234", acme.profile.subdomain.upper(), "Hopper Hopper"):
        problem(acme.admin.post(f"/users/{id}/set-password", {"password": weak}), 422, "weak_password")
    change = {"old_password": "?", "new_password": acme.rep.email.upper()}
    problem(acme.rep.post("/auth/change-password", change), 422, "weak_password")
