"""Logging in with an e-mail address and a password, and setting passwords. No secret of it enters the log."""

from collections.abc import Sequence
from uuid import UUID, uuid4

from application.catalogue import ENTITIES
from application.neighbourhood import present
from application.platform import PLATFORM
from application.ports import EventStore
from application.recording import stream_name, stream_subject
from application.tenancy import Tenancy, TenantProfile
from domain.identity.events import UserPersonal
from domain.identity.state import User
from domain.kernel import Claim, NotFound, Refused
from domain.security.events import (
    AccessEvent,
    ApiKeysRevoked,
    InvitationAccepted,
    LoggedIn,
    PasswordReset,
    PasswordSet,
    RecoveryCodeUsed,
    SessionsEnded,
    Unlocked,
)
from infrastructure.api_keys import revoked
from infrastructure.lockouts import NOBODY, Lockouts, Verdict
from infrastructure.mailed_tokens import LinkNotValid, MailedToken, redeem, void_tokens
from infrastructure.passwords import Passwords, check_password
from infrastructure.postgres import Database, Transaction
from infrastructure.second_factors import FAILED, Proof, SecondFactors
from infrastructure.security_log import SecurityLog
from infrastructure.sessions import Client, Principal, Sessions, Tokens
from infrastructure.tokens import RefreshToken, RevokedToken


class WrongCredentials(Refused):
    """Tenant, e-mail address, password and code don't fit together; which of them is wrong is not said."""

    code = "wrong_credentials"


class WrongPassword(Refused):
    """The present password, asked for once more, is another one."""

    code = "wrong_password"


_FOUND = (
    "SELECT c.password_hash FROM principals p"
    " JOIN credentials c ON c.tenant_id = p.tenant_id AND c.user_id = p.user_id"
    " WHERE p.tenant_id = %(tenant)s AND p.user_id = %(user)s AND p.active"
)
_STILL = (
    "SELECT 1 FROM credentials"
    " WHERE tenant_id = %(tenant)s AND user_id = %(user)s AND password_hash = %(old)s FOR SHARE"
)
_RENEW = (
    "UPDATE credentials SET password_hash = %(new)s"
    " WHERE tenant_id = %(tenant)s AND user_id = %(user)s AND password_hash = %(old)s"
)
_KEEP = (
    "INSERT INTO credentials (tenant_id, user_id, password_hash, changed_at)"
    " VALUES (%(tenant)s, %(user)s, %(hash)s, clock_timestamp()) ON CONFLICT (tenant_id, user_id) "
)


_ACTIVE = "SELECT 1 FROM principals WHERE tenant_id = %(tenant)s AND user_id = %(user)s AND active FOR UPDATE"


class Credentials:
    """The passwords of all tenants' users. Whoever acts on another's says so as `actor`: a user's stream, or `cli`."""

    def __init__(
        self,
        database: Database,
        store: EventStore,
        tenancy: Tenancy,
        sessions: Sessions,
        passwords: Passwords,
        security: SecurityLog,
        second_factors: SecondFactors,
        lockouts: Lockouts | None = None,
    ) -> None:
        self._database = database
        self._store = store
        self._tenancy = tenancy
        self._sessions = sessions
        self._passwords = passwords
        self._security = security
        self._second_factors = second_factors
        self._lockouts = lockouts or Lockouts()

    def tenant(self, names: Sequence[str]) -> TenantProfile | None:
        """The first of these tenants that there is, by subdomain or id."""
        for name in names:
            try:
                return self._tenancy.find(name)
            except NotFound:
                continue
        return None

    def log_in(
        self, tenants: Sequence[str], email: str, password: str, client: Client, *, code: str | None = None
    ) -> Tokens:
        """A new session in the first of these tenants that there is, by subdomain or id.

        Raises SecondFactorRequired where the password is right and a code is needed; that counts neither as a failure
        nor as a success. Raises WrongCredentials, after the same time and with the same words whatever else is wrong, a
        code or a lock included.
        """
        profile = self.tenant(tenants)
        tenant = profile.id if profile else PLATFORM
        user = self.user(profile, email)
        stored = self._stored(tenant, user)
        right = self._passwords.verify(stored, password)
        keys = None if code is None else self._second_factors.keys(tenant, user)
        known = user if user is not None and stored is not None else NOBODY
        with self._database.transaction(tenant) as transaction:
            held = self._lockouts.hold(transaction, known)
            tried = right and not held.locked
            proof = self._second_factors.prove(transaction, known, code, keys) if tried else FAILED
            verdict = self._lockouts.verdict(transaction, known, held, right=proof.right)
            tokens, events = None, list(verdict.told)
            if verdict.allowed:
                tokens, noted = self._let_in(transaction, known, str(stored), client)
                if not noted:
                    self._lockouts.keep(transaction, known, verdict)
                    events = []
                events += [*self._recovered(transaction, known, proof), *noted]
        if tokens is None:
            self._security.note_later(tenant, known, () if known == NOBODY else events, client)
            raise _wrong(code)
        self._security.note(tenant, known, events, stream_name("user", known), client)
        if self._passwords.is_outdated(str(stored)):
            self._renew(tenant, known, str(stored), password)
        return tokens

    def verified(self, tenant: UUID, user: UUID, password: str) -> bool:
        """Whether this is a user's password. Whoever asks counts what is wrong."""
        return self._passwords.verify(self._stored(tenant, user), password)

    def change(self, principal: Principal, old: str, new: str, client: Client) -> Tokens:
        """Gives a user the password that they chose, ends their sessions and starts one. Their API keys stay.

        A wrong present password counts as a failed log-in. Raises WrongPassword or WeakPassword.
        """
        check_password(new, "/new_password", about=self.about(principal.tenant, principal.user))
        right = self.verified(principal.tenant, principal.user, old)
        hashed = self._passwords.hash(new) if right else ""
        tokens = None
        with self._database.transaction(principal.tenant) as transaction:
            held = self._lockouts.hold(transaction, principal.user)
            # The password alone must not give new guesses at the codes.
            forgives = not self._second_factors.is_on(transaction, principal.user)
            verdict = self._lockouts.verdict(transaction, principal.user, held, right=right, forgives=forgives)
            if verdict.allowed:
                self._set(transaction, principal.user, hashed, keep_api_keys=True)
                tokens = self._sessions.start(transaction, principal.user, client)
        if tokens is None:
            self._security.note_later(principal.tenant, principal.user, verdict.told, client)
            raise WrongPassword("The present password is another one.", field="/old_password")
        actor = stream_name("user", principal.user)
        self._security.note(principal.tenant, principal.user, (*verdict.told, PasswordSet()), actor, client)
        return tokens

    def set(
        self,
        tenant: UUID,
        user: UUID,
        password: str,
        actor: str,
        client: Client,
        *,
        checked: bool = True,
        keep_api_keys: bool = False,
    ) -> None:
        """Gives a user another password, ends their sessions, their API keys unless told to keep them, and a lock.

        Raises NotFound or WeakPassword.
        """
        if checked:
            check_password(password, "/password", about=self.about(tenant, user))
        hashed = self._passwords.hash(password)
        with self._database.transaction(tenant) as transaction:
            forgiven = self._lockouts.forgive(transaction, user)
            ended = self._set(transaction, user, hashed, keep_api_keys=keep_api_keys)
        self._security.note(tenant, user, (*forgiven.told, PasswordSet(), *ended), actor, client)

    def set_first(self, tenant: UUID, user: UUID, password: str, actor: str, client: Client) -> None:
        """Gives a new user a password, of any length; one who has one keeps it, so that this can be repeated."""
        hashed = self._passwords.hash(password)
        with self._database.transaction(tenant) as transaction:
            made = transaction.execute(_KEEP + "DO NOTHING RETURNING 1", {"user": user, "hash": hashed})
        if made:
            self._security.note(tenant, user, (PasswordSet(),), actor, client)

    def set_by_link(
        self,
        token: MailedToken,
        password: str,
        event: PasswordReset | InvitationAccepted,
        client: Client,
        *,
        keep_api_keys: bool = False,
    ) -> None:
        """Gives a user the password that they chose, ends their sessions and a lock, and uses the link's token up.

        Whoever has a second factor stays locked: a mailbox must not give new guesses at its codes. Their API keys end
        unless told to keep them. Raises LinkNotValid where another request was faster.
        """
        tenant, user = token.tenant, token.user
        hashed = self._passwords.hash(password)
        with self._database.transaction(tenant) as transaction:
            keeps_lock = self._second_factors.is_on(transaction, user)
            forgiven = Verdict(allowed=True) if keeps_lock else self._lockouts.forgive(transaction, user)
            if not transaction.execute(_ACTIVE, {"user": user}):
                raise LinkNotValid
            redeem(transaction, token)
            ended = self._set(transaction, user, hashed, keep_api_keys=keep_api_keys)
        self._security.note(tenant, user, (*forgiven.told, event, *ended), stream_name("user", user), client)

    def has_password(self, tenant: UUID, user: UUID) -> bool:
        """Whether an active user can log in with a password."""
        return self._stored(tenant, user) is not None

    def unlock(self, tenant: UUID, user: UUID, actor: str, client: Client) -> None:
        """Ends a lock before its time; where there is none it does nothing. Raises NotFound."""
        with self._database.transaction(tenant) as transaction:
            forgiven = self._lockouts.forgive(transaction, user)
            check_known(transaction, user)
        events = forgiven.told if forgiven.allowed else (*forgiven.told, Unlocked())
        self._security.note(tenant, user, events, actor, client)

    def end_sessions(
        self, tenant: UUID, user: UUID, actor: str, client: Client, *, keep_api_keys: bool = False
    ) -> None:
        """Ends all sessions of a user, and their API keys unless told to keep them. Raises NotFound."""
        with self._database.transaction(tenant) as transaction:
            check_known(transaction, user)
            self._sessions.end_all(transaction, user)
            ended = [] if keep_api_keys else _without_keys(transaction, user)
        self._security.note(tenant, user, (SessionsEnded(), *ended), actor, client)

    def about(self, tenant: UUID, user: UUID) -> list[str]:
        """What is known of a user, and must be no part of their password. Raises NotFound."""
        state = present(ENTITIES["user"], self._store.stream(tenant, stream_name("user", user))).state
        if not isinstance(state, User):
            raise NotFound("There is no such user.")
        personal = state.personal
        named = [personal.first_name, personal.last_name, personal.email] if isinstance(personal, UserPersonal) else []
        profile = self._tenancy.profile(tenant)
        return [each for each in (*named, profile.name, profile.subdomain) if each]

    def user(self, tenant: TenantProfile | None, email: str) -> UUID | None:
        """Whose address this is in an active tenant."""
        claim = Claim("user.email", email.casefold())
        if tenant is None or not tenant.active:
            return None
        holder = self._store.holders(tenant.id, (claim,)).get(claim)
        return stream_subject(holder)[1] if holder else None

    def _stored(self, tenant: UUID, user: UUID | None) -> str | None:
        """The stored password of an active user. It is asked for even where there is nobody, for the time it takes."""
        rows = self._database.read(tenant, _FOUND, {"user": user or uuid4()})
        return rows[0]["password_hash"] if rows else None

    def _let_in(
        self, transaction: Transaction, user: UUID, stored: str, client: Client
    ) -> tuple[Tokens, list[AccessEvent]]:
        """A session, unless the password or the user's activity have changed meanwhile. Raises WrongCredentials."""
        if not transaction.execute(_STILL, {"user": user, "old": stored}):
            raise _wrong(None)
        try:
            tokens = self._sessions.start(transaction, user, client)
        except RevokedToken:
            raise _wrong(None) from None
        session = RefreshToken.read(tokens.refresh_token).session
        return tokens, self._security.within_limit(transaction, user, LoggedIn, session=session)

    def _recovered(self, transaction: Transaction, user: UUID, proof: Proof) -> list[AccessEvent]:
        if proof.codes_left is None:
            return []
        return self._security.within_limit(transaction, user, RecoveryCodeUsed, left=proof.codes_left)

    def _renew(self, tenant: UUID, user: UUID, stored: str, password: str) -> None:
        newer = self._passwords.hash(password)
        with self._database.transaction(tenant) as transaction:
            transaction.execute(_RENEW, {"user": user, "old": stored, "new": newer})

    def _set(
        self, transaction: Transaction, user: UUID, hashed: str, *, keep_api_keys: bool = False
    ) -> Sequence[AccessEvent]:
        """Sets a password. Sessions and API keys that came by the old one end with it; what is to be noted of that."""
        check_known(transaction, user)
        transaction.execute(
            _KEEP + "DO UPDATE SET password_hash = excluded.password_hash, changed_at = excluded.changed_at",
            {"user": user, "hash": hashed},
        )
        self._sessions.end_all(transaction, user)
        void_tokens(transaction, user)
        return [] if keep_api_keys else _without_keys(transaction, user)


def _without_keys(transaction: Transaction, user: UUID) -> Sequence[AccessEvent]:
    ended = revoked(transaction, user)
    return [ApiKeysRevoked(keys=tuple(ended))] if ended else []


def _wrong(code: str | None) -> WrongCredentials:
    """The same words for whatever is wrong of what was sent."""
    named = "the password" if code is None else "the password, or the code"
    return WrongCredentials(f"The e-mail address or {named} is wrong.")


def check_known(transaction: Transaction, user: UUID) -> None:
    """Holds on to a user's rights. Raises NotFound."""
    if not transaction.execute(
        "SELECT 1 FROM principals WHERE tenant_id = %(tenant)s AND user_id = %(user)s FOR UPDATE", {"user": user}
    ):
        raise NotFound("There is no such user.")
