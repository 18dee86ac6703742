"""What production refuses to start with, all at once; and secrets that come from files."""

import base64
import secrets

import pytest

from infrastructure.guessing import is_guessable, is_guessable_key
from infrastructure.settings import InvalidSettings, Settings

STRONG = {
    "environment": "production",
    "database_url": "postgresql://clientforge_app:Kx7v-0bWq2@db/clientforge",
    "jwt_secret": base64.b64encode(secrets.token_bytes(48)).decode(),
    "master_key": base64.b64encode(secrets.token_bytes(32)).decode(),
    "public_url": "https://crm.example.com",
}

SECRET = {name for name, field in Settings.model_fields.items() if "SecretStr" in str(field.annotation)}


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
        ({"jwt_secret": "9876543210" * 4}, "JWT_SECRET"),
        ({"jwt_secret": "acmecorp-production-jwt-signing-2024"}, "JWT_SECRET"),
        ({"jwt_secret": "Kx7v-0bWq2" * 4}, "JWT_SECRET"),
        ({"jwt_secret": base64.b64encode(b"a sentence which somebody wrote down").decode()}, "JWT_SECRET"),
        ({"jwt_secret": STRONG["master_key"]}, "JWT_SECRET: is MASTER_KEY"),
        ({"jwt_secret": base64.b64decode(STRONG["master_key"]).hex()}, "JWT_SECRET: is MASTER_KEY"),
        ({"jwt_secret_previous": STRONG["master_key"]}, "JWT_SECRET_PREVIOUS"),
        ({"master_key": base64.b64encode(bytes(32)).decode()}, "MASTER_KEY"),
        ({"master_key": base64.b64encode(bytes(range(32, 0, -1))).decode()}, "MASTER_KEY"),
        ({"master_key": base64.b64encode(bytes(7 * each % 256 for each in range(32))).decode()}, "MASTER_KEY"),
        ({"master_key": base64.b64encode(b"Some 32 letters, which I typed..").decode()}, "MASTER_KEY"),
        ({"metrics_token": "prometheus"}, "METRICS_TOKEN"),
        ({"master_key": base64.b64encode(bytes(range(32))).decode()}, "MASTER_KEY"),
        ({"database_url": "postgresql://clientforge_app@db/clientforge"}, "DATABASE_URL"),
        ({"database_url": "postgresql://app:app@db/clientforge"}, "DATABASE_URL"),
        ({"database_owner_url": "postgresql://owner:postgres@db/clientforge"}, "DATABASE_OWNER_URL"),
        ({"database_url": "postgresql://app:123456@db/clientforge"}, "DATABASE_URL"),
        ({"database_monitor_url": "postgresql://monitor:x@db/clientforge"}, "DATABASE_MONITOR_URL"),
        ({"database_monitor_url": "postgresql://monitor@db/clientforge?password=test"}, "DATABASE_MONITOR_URL"),
        ({"redis_url": "redis://:redis@cache/0"}, "REDIS_URL"),
        ({"redis_url": "redis://cache/0"}, "REDIS_URL"),
        ({"mongodb_url": "mongodb://admin:admin@mongo/clientforge"}, "MONGODB_URL"),
        ({"mongodb_url": "mongodb://127.0.0.1,mongo/clientforge"}, "MONGODB_URL"),
        ({"elasticsearch_url": "http://elastic:changeme@search:9200"}, "ELASTICSEARCH_URL"),
        ({"elasticsearch_url": "http://elastic:search-9200@search-9200"}, "ELASTICSEARCH_URL"),
        ({"trusted_proxies": "0.0.0.0/0"}, "TRUSTED_PROXIES"),
        ({"trusted_proxies": "10.0.0.0/8,128.0.0.0/1"}, "TRUSTED_PROXIES"),
        ({"trusted_proxies": "::/0"}, "TRUSTED_PROXIES"),
        ({"public_url": None}, "PUBLIC_URL"),
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
    told = str(refused.value)
    assert [line.partition(":")[0] for line in told.splitlines()] == [named.partition(":")[0]]
    if next(iter(changed)) in SECRET:
        assert changed[next(iter(changed))] not in told
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
        load(
            jwt_secret="a" * 64,
            master_key=base64.b64encode(bytes(32)).decode(),
            database_url="postgresql://app:app@db/clientforge",
            redis_url="redis://:redis@cache/0",
            public_url=None,
            trusted_proxies="0.0.0.0/0",
        )
    assert [line.partition(":")[0] for line in str(refused.value).splitlines()] == [
        "JWT_SECRET",
        "MASTER_KEY",
        "DATABASE_URL",
        "REDIS_URL",
        "PUBLIC_URL",
        "TRUSTED_PROXIES",
    ]


@pytest.mark.parametrize(
    "changed",
    [
        {"redis_url": "redis://127.0.0.1:6379/0"},
        {"redis_url": "unix:///run/redis.sock"},
        {"redis_url": f"rediss://:{secrets.token_hex(24)}@cache/0"},
        {"mongodb_url": f"mongodb://clientforge:{secrets.token_hex(24)}@one,two/clientforge"},
        {"elasticsearch_url": f"https://elastic:{secrets.token_urlsafe(16)}@search:9200"},
        {"trusted_proxies": "10.0.0.0/8,192.168.0.0/16,fd00::/8,2001:db8::/32"},
        {"metrics_token": secrets.token_hex(16)},
    ],
)
def test_production_starts_with_what_is_strong_or_reached_by_no_network(changed):
    assert load(**changed)


def test_random_secrets_are_taken():
    made = [(secrets.token_urlsafe(size), secrets.token_hex(size)) for size in (24, 48) for _ in range(50)]
    assert not any(is_guessable(each) for pair in made for each in pair)
    assert not any(is_guessable_key(secrets.token_bytes(32)) for _ in range(1000))


def test_a_secret_may_stand_in_a_file_that_the_environment_names(tmp_path, monkeypatch):
    file = tmp_path / "jwt"
    file.write_text(STRONG["jwt_secret"] + "\n")
    monkeypatch.delenv("JWT_SECRET", raising=False)
    monkeypatch.setenv("JWT_SECRET_FILE", str(file))
    named = {name: value for name, value in STRONG.items() if name != "jwt_secret"}
    assert Settings.load(_env_file=None, **named).jwt_secret.get_secret_value() == STRONG["jwt_secret"]
    (tmp_path / "empty").write_text("\n")
    monkeypatch.setenv("JWT_SECRET_PREVIOUS_FILE", str(tmp_path / "empty"))
    assert Settings.load(_env_file=None, **named).jwt_secret_previous is None
    monkeypatch.setenv("JWT_SECRET_FILE", str(tmp_path / "missing"))
    with pytest.raises(InvalidSettings, match="JWT_SECRET_FILE"):
        Settings.load(_env_file=None, **named)
