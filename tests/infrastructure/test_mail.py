"""Mail over SMTP, against a real server: secured, patient, and with nothing in it that somebody smuggled in."""

import ipaddress
import ssl
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from dramatiq import Worker
from uuid_utils.compat import uuid7

from application.handling import Sender
from application.tenancy import OPERATOR
from domain.identity.commands import CreateUser, DeactivateUser
from domain.tenants.commands import RegisterTenant
from infrastructure.addresses import addressee, sender
from infrastructure.bootstrap import build
from infrastructure.letters import letter, spoken
from infrastructure.mailed_tokens import Kind, MailedToken, MailedTokens
from infrastructure.mailing import Mailing
from infrastructure.settings import Settings
from infrastructure.smtp import MailAway, MailFolder, MailRefused, Smtp
from tests.faults.stand import eventually
from tests.fixtures import JWT_SECRET, MASTER_KEY
from tests.mailbox import FROM, Mailbox, link_in, opened_mailbox, token_in

TOKEN = MailedToken.new(Kind.RESET, uuid7(), uuid7())


def written(tenant="Acme Inc.", to="ada@example.com"):
    """A mail as it is sent."""
    return letter(
        TOKEN,
        to=addressee(to),
        sender=sender(FROM),
        tenant=tenant,
        links_at="https://crm.example.com",
        lifetime=timedelta(hours=1),
    )


def settings(mailbox, **others):
    """Settings that name a server."""
    return Settings.load(
        _env_file=None,
        **{
            "environment": "test",
            "database_url": "postgresql://nobody@127.0.0.1/none",
            "jwt_secret": JWT_SECRET,
            "master_key": MASTER_KEY,
            "smtp_host": "127.0.0.1",
            "smtp_port": mailbox.port,
            "smtp_tls": "none",
            "smtp_seconds": 1,
            "mail_from": FROM,
            **others,
        },
    )


def smtp(mailbox, **others):
    return Smtp(settings(mailbox, **others), "127.0.0.1")


def test_a_mail_has_its_link_and_says_who_it_is_from():
    with opened_mailbox() as mailbox:
        smtp(mailbox).send(written())
    (mail,) = mailbox.mails
    assert (mail["From"], mail["To"]) == (FROM, "ada@example.com")
    assert mail["Subject"] == "Choose another password for Acme Inc"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Message-ID"].endswith("@example.com>")
    assert link_in(mail) == "https://crm.example.com/reset-password"
    assert MailedToken.read(Kind.RESET, token_in(mail)) == TOKEN


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Acme\r\nBcc: c@d.co", "Acme Bcc c d co"),
        ("Win at https://evil.example/now", "Win at https evil example now"),
        ("<b>Acme</b>", "b Acme b"),
        ("Müller & Söhne", "Müller & Söhne"),
        ("株式会社", "株式会社"),
        ("…", "ClientForge"),
        ("A" * 200, "A" * 60),
    ],
)
def test_a_tenants_name_is_said_without_headers_and_links(name, said):
    assert spoken(name) == said
    mail = message_from_bytes(bytes(written(name)), policy=policy.default)
    assert mail["Subject"] == f"Choose another password for {said}"
    assert mail["Bcc"] is None
    assert said in mail.get_content()
    assert bytes(written(name)).partition(b"\r\n\r\n")[0].isascii()


_SMUGGLED = ["a@b.co\r\nBcc: c@d.co", "a@b.co, c@d.co", "a@b.co,c", "a@b.co>c", "a,c@b.co", "a\0@b.co"]
_STRANGE = ['"a"@b.co', "Ada <a@b.co>", "a b@c.co", "a@b..co", "a@b.co.", "a@[127.0.0.1]", "@", ""]


@pytest.mark.parametrize("text", [*_SMUGGLED, *_STRANGE])
def test_what_is_not_one_address_gets_no_mail(text):
    with pytest.raises(ValueError, match="not an address"):
        addressee(text)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A server's own certificate, and the file that makes it trusted."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    place = tmp_path_factory.mktemp("certificate")
    (place / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (place / "key.pem").write_bytes(private)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(place / "cert.pem", place / "key.pem")
    return context, place / "cert.pem"


def test_by_starttls_nothing_is_said_before_the_line_is_secured(certificate, monkeypatch):
    context, trusted = certificate
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    with opened_mailbox(tls_context=context, require_starttls=True) as mailbox:
        smtp(mailbox, smtp_tls="starttls").send(written())
        assert mailbox.secured == [True]


def test_a_server_without_starttls_or_with_a_strangers_certificate_gets_nothing(certificate):
    context, _ = certificate
    with opened_mailbox() as mailbox:
        with pytest.raises(MailAway, match="SMTPNotSupportedError"):
            smtp(mailbox, smtp_tls="starttls").send(written())
        assert mailbox.mails == []
    with opened_mailbox(tls_context=context) as mailbox:
        with pytest.raises(MailAway, match="SSLCertVerificationError"):
            smtp(mailbox, smtp_tls="starttls").send(written())
        assert mailbox.mails == []


def test_tls_from_the_first_byte_and_a_log_in(certificate, monkeypatch):
    context, trusted = certificate
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    mailbox = Mailbox()
    mailbox.start_with(ssl_context=context, authenticator=mailbox.authenticate, auth_require_tls=False)
    try:
        own = {"smtp_tls": "tls", "smtp_user": "crm"}
        smtp(mailbox, **own, smtp_password="the right one").send(written())
        with pytest.raises(MailAway, match="SMTPAuthenticationError"):
            smtp(mailbox, **own, smtp_password="a wrong one").send(written())
    finally:
        mailbox.stop()
    assert mailbox.logins[0] == (b"crm", b"the right one")
    assert len(mailbox.mails) == 1


@pytest.mark.parametrize(
    ("refusal", "error"),
    [("550 no such mailbox", MailRefused), ("450 try later", MailAway), ("421 closing", MailAway)],
)
def test_what_a_server_says_for_good_is_told_from_what_may_pass(refusal, error):
    with opened_mailbox() as mailbox:
        mailbox.refusal = refusal
        with pytest.raises(error) as raised:
            smtp(mailbox).send(written())
    assert "ada@example.com" not in str(raised.value)
    assert mailbox.mails == []


def test_a_server_that_says_nothing_is_away_after_a_while():
    with opened_mailbox() as mailbox:
        mailbox.seconds = 30
        start = time.monotonic()
        with pytest.raises(MailAway):
            smtp(mailbox, smtp_seconds=0.3).send(written())
        assert time.monotonic() - start < 15


def test_an_address_beyond_ascii_is_written_as_it_is(tmp_path):
    with opened_mailbox(enable_SMTPUTF8=True) as mailbox:
        smtp(mailbox).send(written(to="søren@exämple.com"))
    assert mailbox.mails[0]["To"] == "søren@xn--exmple-cua.com"
    MailFolder(tmp_path).send(written(to="søren@exämple.com"))
    assert "søren@".encode() in next(tmp_path.iterdir()).read_bytes()


def test_without_a_server_mail_becomes_files_of_ones_own(tmp_path):
    MailFolder(tmp_path / "mail").send(written())
    (file,) = (tmp_path / "mail").iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    assert token_in(message_from_bytes(file.read_bytes(), policy=policy.default)) == TOKEN.text
    assert TOKEN.text.encode() in file.read_bytes()
    (tmp_path / "file").touch()
    with pytest.raises(MailAway):
        MailFolder(tmp_path / "file").send(written())


@pytest.fixture
def mailbox():
    with opened_mailbox() as mailbox:
        yield mailbox


@pytest.fixture
def application(urls, redis_url, mailbox):
    """An application with a worker, whose retries come soon."""
    own = settings(
        mailbox,
        database_url=urls.app,
        redis_url=redis_url,
        redis_prefix=f"{{{uuid7().hex}}}",
        retry_base_seconds=0.1,
        smtp_seconds=10,
    )
    application = build(own)
    worker = Worker(application.broker, worker_timeout=20, worker_threads=4)
    worker.start()
    yield application
    application.engine.stop()
    worker.stop()
    application.close()


@pytest.fixture
def ada(application):
    """Somebody who was invited; her tenant, id and address."""
    profile = application.tenancy.register(RegisterTenant(name="Acme", subdomain=f"acme-{uuid7().hex[-8:]}"))
    email = f"ada-{uuid7().hex}@example.com"
    return profile.id, made(application, profile.id, email), email


def made(application, tenant, email):
    """A new user's id."""
    command = CreateUser(first_name="Ada", last_name="Lovelace", email=email)
    return application.handler.handle(operator(tenant), "user", uuid7(), command).id


def operator(tenant):
    return Sender(tenant=tenant, actor="cli", permissions=OPERATOR, correlation=uuid7())


def invite(application, tenant, user):
    MailedTokens(application.database).ask(tenant, user, Kind.INVITATION)
    assert application.announcements.mail(tenant, user, Kind.INVITATION)


def test_a_mail_waits_for_a_server_that_is_away(application, mailbox, ada):
    tenant, user, email = ada
    mailbox.stop()
    invite(application, tenant, user)
    time.sleep(1)
    tokens = MailedTokens(application.database)
    assert tokens.state(tenant, user, Kind.INVITATION) is True
    mailbox.start()
    token = MailedToken.read(Kind.INVITATION, token_in(mailbox.to(email, seconds=20)[-1]))
    assert tokens.find(token).user_version == 1
    deadline = time.monotonic() + 5
    while tokens.state(tenant, user, Kind.INVITATION) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert tokens.state(tenant, user, Kind.INVITATION) is False
    assert len(mailbox.to(email)) == 1


def test_a_mail_that_a_server_refuses_for_good_is_not_tried_again(application, mailbox, ada, caplog):
    tenant, user, email = ada
    mailbox.refusal = "550 no such mailbox"
    invite(application, tenant, user)
    tokens = MailedTokens(application.database)
    deadline = time.monotonic() + 5
    while tokens.state(tenant, user, Kind.INVITATION) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert tokens.state(tenant, user, Kind.INVITATION) is False
    assert "can't be delivered" in caplog.text
    assert email not in caplog.text


def test_what_was_asked_for_before_a_user_was_deactivated_is_not_sent(application, mailbox, ada):
    tenant, user, email = ada
    mailbox.stop()
    invite(application, tenant, user)
    application.handler.handle(operator(tenant), "user", user, DeactivateUser())
    mailbox.start()
    time.sleep(1.5)
    assert mailbox.to(email, count=0) == []


@contextmanager
def slow(mailbox, seconds):
    mailbox.seconds = seconds
    yield
    mailbox.seconds = 0


def test_workers_that_meet_over_a_mail_send_it_once(application, mailbox, ada):
    tenant, user, email = ada
    MailedTokens(application.database).ask(tenant, user, Kind.INVITATION)
    own = application.settings.model_copy(update={"smtp_seconds": 5})
    with slow(mailbox, 0.3), ThreadPoolExecutor(4) as threads:
        mailings = [Mailing(application.database, application.store, own, Smtp(own, "127.0.0.1")) for _ in range(4)]
        sent = list(threads.map(lambda each: each.send(tenant, user, Kind.INVITATION), mailings))
    assert sent.count(True) == 1
    assert len(mailbox.to(email)) == 1


def test_a_mail_whose_worker_died_over_it_is_sent_by_the_next(application, mailbox, ada):
    tenant, user, email = ada
    tokens = MailedTokens(application.database)
    tokens.ask(tenant, user, Kind.INVITATION)
    assert tokens.take(MailedToken.new(Kind.INVITATION, tenant, user), 1, timedelta(hours=1))
    mailing = Mailing(application.database, application.store, application.settings, smtp(mailbox))
    assert not mailing.send(tenant, user, Kind.INVITATION)
    assert mailbox.mails == []
    with application.database.transaction(tenant) as transaction:
        transaction.execute(
            "UPDATE mailed_tokens SET taken_until = taken_until - interval '60 seconds'"
            " WHERE tenant_id = %(tenant)s AND user_id = %(user)s",
            {"user": user},
        )
    assert mailing.send(tenant, user, Kind.INVITATION)
    assert len(mailbox.to(email)) == 1


def test_asking_often_while_the_server_is_away_ends_in_one_mail(application, mailbox, ada):
    tenant, user, email = ada
    mailbox.stop()
    for _ in range(5):
        invite(application, tenant, user)
    mailbox.start()
    mailbox.to(email, seconds=20)
    time.sleep(1)
    assert len(mailbox.to(email)) == 1


def test_a_server_that_hangs_holds_up_one_thread_of_a_worker(application, mailbox, ada):
    """Others' mail waits; projections don't."""
    tenant, user, _ = ada
    others = [made(application, tenant, f"{uuid7().hex}@example.com") for _ in range(3)]
    with slow(mailbox, 4):
        for each in (user, *others):
            invite(application, tenant, each)
        eventually(lambda: mailbox.begun)
        time.sleep(0.3)
        start = time.monotonic()
        last = made(application, tenant, f"{uuid7().hex}@example.com")
        eventually(lambda: is_listed(application, tenant, last))
        assert time.monotonic() - start < 3
        assert mailbox.begun == 1


def is_listed(application, tenant, user):
    """Whether a user's row is there."""
    row = "SELECT 1 FROM users WHERE tenant_id = %(tenant)s AND id = %(user)s"
    return application.database.read(tenant, row, {"user": user})


def test_a_worker_without_a_way_to_send_keeps_mail_waiting(application, ada):
    tenant, user, _ = ada
    MailedTokens(application.database).ask(tenant, user, Kind.INVITATION)
    mailing = Mailing(application.database, application.store, application.settings, None)
    with pytest.raises(MailAway, match="SMTP_HOST"):
        mailing.send(tenant, user, Kind.INVITATION)
    assert MailedTokens(application.database).state(tenant, user, Kind.INVITATION) is True
