"""The worker's part of mail: who is to get what, a token made for it, and away with it.

The queue says no more than tenant, user and kind. Who has no address, or nothing to be mailed about any more, gets
nothing; an SMTP server that is away is tried again for as long as it takes.
"""

import logging
from collections.abc import Callable, Mapping
from datetime import timedelta
from threading import Lock
from uuid import UUID

import dramatiq
from dramatiq.errors import Retry
from msgspec import Struct

from application.catalogue import ENTITIES
from application.neighbourhood import Present, present
from application.platform import tenant_state
from application.ports import EventStore
from application.recording import stream_name
from domain.identity.events import UserPersonal
from domain.identity.state import User
from infrastructure.addresses import addressee, sender
from infrastructure.letters import letter
from infrastructure.lockouts import NOBODY
from infrastructure.mailed_tokens import Kind, MailedToken, MailedTokens
from infrastructure.postgres import Database
from infrastructure.settings import Settings
from infrastructure.smtp import MailAway, MailRefused, Transport
from infrastructure.wakeups import MAIL, QUEUE
from projections.failures import LONGEST_DELAY, told
from projections.ports import StoreAway

log = logging.getLogger("clientforge.mail")

_BUSY_SECONDS = 0.2
_BUSY_MS = 1_000
_DEFAULT_SENDER = "ClientForge <clientforge@localhost>"
_HAS_PASSWORD = "SELECT 1 FROM credentials WHERE tenant_id = %(tenant)s AND user_id = %(user)s"  # noqa: S105


class MailFailed(Exception):
    """Why a mail is tried again or is dead; without the original's message, which may quote an address."""


class Due(Struct, frozen=True, kw_only=True):
    """A mail that is to be sent now."""

    kind: Kind
    address: str
    version: int
    tenant: str


class Mailing:
    """Sends the mails that were asked for."""

    def __init__(self, database: Database, store: EventStore, settings: Settings, transport: Transport | None) -> None:
        self._database = database
        self._store = store
        self._transport = transport
        self._tokens = MailedTokens(database)
        self._sender = sender(settings.mail_from or _DEFAULT_SENDER)
        self._links_at = settings.links_at
        self._lifetimes = lifetimes(settings)

    def send(self, tenant: UUID, user: UUID, kind: Kind) -> bool:
        """Sends a mail if it waits. False while somebody else is sending it. Raises MailAway or StoreAway."""
        if user == NOBODY or not self._tokens.state(tenant, user, kind):
            return True
        due = self._due(tenant, user, kind)
        if due is not None and due.kind != kind:
            self._tokens.ask(tenant, user, due.kind)
        if due is None or due.kind != kind:
            self._tokens.drop(tenant, user, kind)
        return due is None or self._sent(MailedToken.new(due.kind, tenant, user), due)

    def _due(self, tenant: UUID, user: UUID, kind: Kind) -> Due | None:
        """What a user is to get: who was invited and has no password yet gets their invitation, whatever they ask."""
        now = present(ENTITIES["user"], self._store.stream(tenant, stream_name("user", user)))
        company = tenant_state(self._store, tenant)
        address = address_of(now)
        if address is None or company is None or not company.active:
            return None
        if not self._database.read(tenant, _HAS_PASSWORD, {"user": user}):
            if self._tokens.state(tenant, user, Kind.INVITATION) is None:
                return None
            kind = Kind.INVITATION
        elif kind is Kind.INVITATION or (kind is Kind.VERIFICATION and now.state.verified):
            return None
        return Due(kind=kind, address=address, version=now.version, tenant=company.name)

    def _sent(self, token: MailedToken, due: Due) -> bool:
        lifetime = self._lifetimes[due.kind]
        if not self._tokens.take(token, due.version, lifetime):
            return not self._tokens.state(token.tenant, token.user, due.kind)
        waiting = True
        try:
            self._hand_over(token, due, lifetime)
            waiting = False
        except MailRefused as refused:
            waiting = False
            log.warning("a mail (%s) to user %s can't be delivered: %s", due.kind, token.user, refused)
        finally:
            self._tokens.give_back(token, waiting=waiting)
        return True

    def _hand_over(self, token: MailedToken, due: Due, lifetime: timedelta) -> None:
        if self._transport is None:
            raise MailAway("neither SMTP_HOST nor MAIL_DIRECTORY is set for this worker")
        try:
            to = addressee(due.address)
        except ValueError:
            raise MailRefused("no address that a mail could have") from None
        self._transport.send(
            letter(
                token,
                to=to,
                sender=self._sender,
                tenant=due.tenant,
                links_at=self._links_at,
                lifetime=lifetime,
            )
        )


def lifetimes(settings: Settings) -> Mapping[Kind, timedelta]:
    """How long the token of each kind is good, from when it is mailed."""
    return {
        Kind.RESET: timedelta(seconds=settings.password_reset_seconds),
        Kind.VERIFICATION: timedelta(seconds=settings.verification_seconds),
        Kind.INVITATION: timedelta(seconds=settings.invitation_seconds),
    }


def address_of(now: Present) -> str | None:
    """The address of an active user."""
    user: User | None = now.state
    if user is None or not user.active or not isinstance(user.personal, UserPersonal):
        return None
    return user.personal.email


def declare_mail(broker: dramatiq.Broker, mailing: Callable[[], Mailing], *, retry_base: float) -> None:
    """Binds the actor of this process to its mailing, which sends one mail at a time.

    A server that hangs holds up one thread of the worker, not the projections.
    """
    one_at_a_time = Lock()

    @dramatiq.actor(
        broker=broker,
        actor_name=MAIL,
        queue_name=QUEUE,
        min_backoff=int(retry_base * 1000),
        max_backoff=int(LONGEST_DELAY * 1000),
        retry_when=lambda retries, error: isinstance(error, _Later) or retries < 5,
    )
    def mail(tenant: str, user: str, kind: str) -> None:
        """Sends a user the mail that they wait for."""
        if not one_at_a_time.acquire(timeout=_BUSY_SECONDS):
            raise Retry("another mail is being sent", delay=_BUSY_MS)
        try:
            sent = mailing().send(UUID(tenant), UUID(user), Kind(kind))
        except (MailAway, StoreAway) as error:
            log.warning("a mail (%s) waits: %s", kind, error)
            raise _Later(f"{type(error).__name__}: {error}") from None
        except Exception as error:
            raise MailFailed(told(error)) from None
        finally:
            one_at_a_time.release()
        if not sent:
            raise Retry("somebody else is sending this mail", delay=_BUSY_MS)


class _Later(MailFailed):
    """Something is away: the mail waits for it."""
