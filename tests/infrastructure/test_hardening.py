"""What production refuses to start with, all at once; and secrets that come from files."""

import base64
import secrets

import pytest

from infrastructure.hardening import is_guessable
from infrastructure.settings import InvalidSettings, Settings

STRONG = {
    "environment": "production",
    "database_url": "postgresql://clientforge_app:Kx7v-0bWq2@db/clientforge",
    "jwt_secret": base64.b64encode(secrets.token_bytes(48)).decode(),
    "master_key": base64.b64encode(secrets.token_bytes(32)).decode(),
    "public_url": "https://crm.example.com",
}


def load(**changed):
    return Settings.load(_env_file=None, **{**STRONG, **changed})


def test_production_starts_with_strong_secrets():
    assert load().is_https


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"jwt_secret": "a" * 64}, "JWT_SECRET"),
        ({"jwt_secret": "a secret of at least 32 characters"}, "JWT_SECRET"),
        ({"jwt_secret": "change-me-change-me-change-me-change-me"}, "JWT_SECRET"),
        ({"jwt_secret": "12" * 32}, "JWT_SECRET"),
        ({"jwt_secret": "too short"}, "JWT_SECRET"),
        ({"jwt_secret_previous": "b" * 64}, "JWT_SECRET_PREVIOUS"),
        ({"master_key": base64.b64encode(bytes(32)).decode()}, "MASTER_KEY"),
        ({"master_key": base64.b64encode(bytes(range(32))).decode()}, "MASTER_KEY"),
        ({"database_url": "postgresql://clientforge_app@db/clientforge"}, "DATABASE_URL"),
        ({"database_url": "postgresql://app:app@db/clientforge"}, "DATABASE_URL"),
        ({"database_owner_url": "postgresql://owner:postgres@db/clientforge"}, "DATABASE_OWNER_URL"),
        ({"public_url": "http://crm.example.com"}, "PUBLIC_URL"),
        ({"sign_up": True}, "SMTP_HOST"),
        ({"smtp_tls": "none", "smtp_host": "mail.example.com", "mail_from": "a@example.com"}, "SMTP_TLS"),
        ({"mail_directory": "/var/mail/clientforge"}, "MAIL_DIRECTORY"),
        ({"cors_origins": "http://app.example.com"}, "CORS_ORIGINS"),
    ],
)
def test_production_refuses_what_is_weak_and_a_developer_may_have_it(changed, named):
    with pytest.raises(InvalidSettings, match=named) as refused:
        load(**changed)
    value = changed[next(iter(changed))]
    assert value in (True, "none") or value not in str(refused.value).replace("http://app.example.com", "")
    if "too short" not in changed.values():
        assert load(**changed, environment="development")


def test_mail_needs_a_sender_and_in_production_where_links_lead():
    server = {"smtp_host": "mail.example.com"}
    with pytest.raises(InvalidSettings, match="MAIL_FROM"):
        load(**server, environment="development")
    with pytest.raises(InvalidSettings, match="MAIL_FROM"):
        load(**server, mail_from="no address")
    with pytest.raises(InvalidSettings, match="PUBLIC_URL"):
        load(**server, mail_from="a@example.com", public_url=None)
    assert load(**server, mail_from="ClientForge <a@example.com>", sign_up=True).sends_mail
    assert load(smtp_host="127.0.0.1", smtp_tls="none", mail_from="a@example.com").sends_mail


def test_all_that_is_wrong_is_told_at_once():
    with pytest.raises(InvalidSettings) as refused:
        load(jwt_secret="a" * 64, master_key=base64.b64encode(bytes(32)).decode(), public_url="http://crm.example.com")
    assert [line.partition(":")[0] for line in str(refused.value).splitlines()] == [
        "JWT_SECRET",
        "MASTER_KEY",
        "PUBLIC_URL",
    ]


def test_random_secrets_are_taken():
    assert not any(is_guessable(secrets.token_urlsafe(48)) for _ in range(200))
    assert not any(is_guessable(secrets.token_hex(32)) for _ in range(200))


def test_a_secret_may_stand_in_a_file_that_the_environment_names(tmp_path, monkeypatch):
    file = tmp_path / "jwt"
    file.write_text(STRONG["jwt_secret"] + "\n")
    monkeypatch.delenv("JWT_SECRET", raising=False)
    monkeypatch.setenv("JWT_SECRET_FILE", str(file))
    named = {name: value for name, value in STRONG.items() if name != "jwt_secret"}
    assert Settings.load(_env_file=None, **named).jwt_secret.get_secret_value() == STRONG["jwt_secret"]
    monkeypatch.setenv("JWT_SECRET_FILE", str(tmp_path / "missing"))
    with pytest.raises(InvalidSettings, match="JWT_SECRET_FILE"):
        Settings.load(_env_file=None, **named)
