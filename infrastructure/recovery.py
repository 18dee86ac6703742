"""Links by mail: another password, an address that is one's own, the first password of who was invited."""

from collections.abc import Callable
from datetime import datetime
from hashlib import sha256
from uuid import UUID

from msgspec import Struct
from uuid_utils.compat import uuid7

from application.catalogue import ENTITIES
from application.handling import Handler, Sender
from application.neighbourhood import present
from application.platform import PLATFORM
from application.ports import EventStore
from application.recording import Recorded, stream_name
from application.signing_up import SIGN_UP
from application.tenancy import Tenancy, TenantProfile
from domain.identity.commands import VerifyUserEmail
from domain.identity.events import UserDeactivated, UserEdited, UserPersonal
from domain.kernel import Archived, Invalid, NotFound, Refused
from domain.security.events import InvitationAccepted, Invited, PasswordReset
from infrastructure.credentials import Credentials
from infrastructure.lockouts import NOBODY
from infrastructure.mailed_tokens import Found, Kind, LinkNotValid, MailedToken, MailedTokens, redeem
from infrastructure.mailing import address_of
from infrastructure.passwords import check_password
from infrastructure.postgres import Database
from infrastructure.rate_limits import Partition, RateLimits, Standing
from infrastructure.security_log import SecurityLog
from infrastructure.sessions import Client
from infrastructure.settings import Settings
from projections.ports import StoreAway


class MailNotSetUp(Refused):
    """This system sends no mail: its operator has set neither SMTP_HOST nor MAIL_DIRECTORY."""

    code = "mail_not_set_up"


class TooManyMails(Refused):
    """An address gets only so many mails in an hour: `Retry-After` says when there is room for another."""

    code = "too_many_mails"


class InvitationNotNeeded(Refused):
    """A user who has a password needs no invitation: who has forgotten it asks for another one."""

    code = "invitation_not_needed"


Enqueue = Callable[[UUID, UUID, str], bool]
"""Has a worker send a tenant's user the mail of a kind; False when the queue is away."""


class Holder(Struct, frozen=True, kw_only=True):
    """Whose link it is: the address that it was mailed to, and until when it is good."""

    token: MailedToken
    address: str
    expires_at: datetime


class Recovery:
    """Asks for mails, and takes the tokens of their links."""

    def __init__(
        self,
        database: Database,
        store: EventStore,
        tenancy: Tenancy,
        handler: Handler,
        credentials: Credentials,
        security: SecurityLog,
        rate_limits: RateLimits,
        enqueue: Enqueue,
        settings: Settings,
    ) -> None:
        self._database = database
        self._store = store
        self._tenancy = tenancy
        self._handler = handler
        self._credentials = credentials
        self._security = security
        self._rate_limits = rate_limits
        self._enqueue = enqueue
        self._settings = settings
        self._tokens = MailedTokens(database)

    def check_mail(self) -> None:
        """Raises MailNotSetUp where nothing can be mailed."""
        if not self._settings.sends_mail:
            raise MailNotSetUp("This system sends no mail: ask its operator.")

    def ask(self, profile: TenantProfile | None, email: str, kind: Kind) -> None:
        """Has a link mailed to whose address this is.

        For an address that is nobody's, or had its mails for this hour, the same is done with nobody in their place:
        neither the answer nor its time tells which it was. Raises MailNotSetUp, or StoreAway without Redis.
        """
        self.check_mail()
        user = self._credentials.user(profile, email)
        tenant = profile.id if profile else PLATFORM
        room = self._room(f"{tenant}:{user or 'nobody'}", email)
        self._post(tenant, user if user and room.passed else NOBODY, kind)

    def invite(self, tenant: UUID, user: UUID, actor: str, client: Client) -> None:
        """Has a user who has no password yet be mailed a link by which they choose one.

        Raises NotFound, Archived, Invalid, InvitationNotNeeded, TooManyMails, MailNotSetUp, or StoreAway.
        """
        self.check_mail()
        now = present(ENTITIES["user"], self._store.stream(tenant, stream_name("user", user)))
        if now.state is None:
            raise NotFound("There is no such user.")
        if not now.state.active:
            raise Archived("This user is deactivated: activate them first.")
        address = address_of(now)
        if address is None:
            raise Invalid("This user has no e-mail address.", field="/email")
        if self._credentials.has_password(tenant, user):
            raise InvitationNotNeeded("This user has a password already.")
        self._take_room(f"{tenant}:{user}", address)
        self._post(tenant, user, Kind.INVITATION)
        self._security.note(tenant, user, (Invited(),), actor, client)

    def check_sign_up(self, address: str) -> None:
        """Counts a mail to somebody who is in no tenant yet. Raises TooManyMails or MailNotSetUp."""
        self.check_mail()
        self._take_room("sign-up", address)

    def welcome(self, tenant: UUID, user: UUID, client: Client) -> None:
        """Has the first admin of a tenant that was signed up be mailed the link by which they begin."""
        self._post(tenant, user, Kind.INVITATION)
        self._security.note(tenant, user, (Invited(),), SIGN_UP, client)

    def holder(self, kind: Kind, text: str) -> Holder:
        """Whose link it is, if it is good. Raises LinkNotValid."""
        token = MailedToken.read(kind, text)
        found = self._tokens.find(token)
        events = self._store.stream(token.tenant, stream_name("user", token.user))
        now = present(ENTITIES["user"], events)
        address = address_of(now)
        if address is None or _is_void(events, found) or not self._is_open(token.tenant):
            raise LinkNotValid
        return Holder(token=token, address=address, expires_at=found.expires_at)

    def set_password(
        self, kind: Kind, text: str, password: str, client: Client, *, keep_api_keys: bool = False
    ) -> None:
        """Gives a user the password that they chose, ends their sessions and a lock, and notes that they get mail.

        Their API keys end unless told to keep them.

        Raises LinkNotValid or WeakPassword; a weak password leaves the link as it is.
        """
        holder = self.holder(kind, text)
        token = holder.token
        check_password(password, "/password", about=self._credentials.about(token.tenant, token.user))
        event = PasswordReset() if kind is Kind.RESET else InvitationAccepted()
        self._credentials.set_by_link(token, password, event, client, keep_api_keys=keep_api_keys)
        self._note_verified(holder, client)

    def verify(self, text: str, client: Client) -> None:
        """Notes that a user gets mail at their address. Raises LinkNotValid."""
        holder = self.holder(Kind.VERIFICATION, text)
        with self._database.transaction(holder.token.tenant) as transaction:
            redeem(transaction, holder.token)
        self._note_verified(holder, client)

    def _note_verified(self, holder: Holder, client: Client) -> None:
        token = holder.token
        sender = Sender(
            tenant=token.tenant,
            actor=stream_name("user", token.user),
            permissions=frozenset({VerifyUserEmail.PERMISSION}),
            correlation=uuid7(),
            request=client.request,
            address=client.address,
        )
        try:
            self._handler.handle(sender, "user", token.user, VerifyUserEmail(email=holder.address))
        except Refused as refused:
            if token.kind is not Kind.VERIFICATION:
                return  # the password is set, and that is what they came for
            if isinstance(refused, Invalid | Archived):
                raise LinkNotValid from None
            raise

    def _post(self, tenant: UUID, user: UUID, kind: Kind) -> None:
        self._tokens.ask(tenant, user, kind)
        if not self._enqueue(tenant, user, kind):
            raise StoreAway("Redis: no mail can be asked for")

    def _room(self, whose: str, address: str) -> Standing:
        named = f"{whose}:{address.casefold()}".encode("utf-8", "surrogatepass")
        counted = Partition(
            kind="account", id=f"mail:{sha256(named).hexdigest()}", limit=f"{self._settings.mails_per_hour} per hour"
        )
        return self._rate_limits.take("auth", (counted,))

    def _take_room(self, whose: str, address: str) -> None:
        room = self._room(whose, address)
        if not room.passed:
            raise TooManyMails(
                f"No more than {room.quota} mails an hour go to one address.", retry_after=room.retry_after
            )

    def _is_open(self, tenant: UUID) -> bool:
        try:
            return self._tenancy.profile(tenant).active
        except NotFound:
            return False


def _is_void(events: list[Recorded], found: Found) -> bool:
    """Whether its user was deactivated, or their address became another, since a token was mailed to them."""
    mailed_to = present(ENTITIES["user"], events[: found.user_version])
    address = address_of(mailed_to)
    for recorded in events[found.user_version :]:
        match recorded.event:
            case UserDeactivated():
                return True
            case UserEdited(personal=UserPersonal(email=email)) if email != address:
                return True
    return address is None
