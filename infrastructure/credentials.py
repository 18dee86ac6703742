"""Logging in with an e-mail address and a password, and setting passwords. None of it enters the log."""

from collections.abc import Sequence
from uuid import UUID, uuid4

from application.ports import EventStore
from application.recording import stream_subject
from application.tenancy import Tenancy, TenantProfile
from domain.kernel import Claim, NotFound, Refused
from infrastructure.passwords import Passwords, check_password
from infrastructure.postgres import Database, Transaction
from infrastructure.sessions import Principal, Sessions, Tokens


class WrongCredentials(Refused):
    """Tenant, e-mail address and password don't fit together; which of them is wrong is not said."""

    code = "wrong_credentials"


class WrongPassword(Refused):
    """The present password, asked for once more, is another one."""

    code = "wrong_password"


_WRONG = "The e-mail address or the password is wrong."
_FOUND = (
    "SELECT c.password_hash FROM principals p"
    " JOIN credentials c ON c.tenant_id = p.tenant_id AND c.user_id = p.user_id"
    " WHERE p.tenant_id = %(tenant)s AND p.user_id = %(user)s AND p.active"
)
_STILL = (
    "UPDATE credentials SET password_hash = %(new)s"
    " WHERE tenant_id = %(tenant)s AND user_id = %(user)s AND password_hash = %(old)s RETURNING 1"
)
_KEEP = (
    "INSERT INTO credentials (tenant_id, user_id, password_hash, changed_at)"
    " VALUES (%(tenant)s, %(user)s, %(hash)s, clock_timestamp()) ON CONFLICT (tenant_id, user_id) "
)


class Credentials:
    """The passwords of all tenants' users."""

    def __init__(
        self, database: Database, store: EventStore, tenancy: Tenancy, sessions: Sessions, passwords: Passwords
    ) -> None:
        self._database = database
        self._store = store
        self._tenancy = tenancy
        self._sessions = sessions
        self._passwords = passwords

    def tenant(self, names: Sequence[str]) -> TenantProfile | None:
        """The first of these tenants that there is, by subdomain or id."""
        for name in names:
            try:
                return self._tenancy.find(name)
            except NotFound:
                continue
        return None

    def log_in(self, tenants: Sequence[str], email: str, password: str) -> Tokens:
        """A new session in the first of these tenants that there is, by subdomain or id.

        Raises WrongCredentials, after the same time and with the same words whatever is wrong.
        """
        tenant = self.tenant(tenants)
        user = self._user(tenant, email)
        stored = self._stored(tenant, user)
        if not self._passwords.verify(stored, password) or tenant is None or user is None or stored is None:
            raise WrongCredentials(_WRONG)
        newer = self._passwords.hash(password) if self._passwords.is_outdated(stored) else stored
        with self._database.transaction(tenant.id) as transaction:
            if not transaction.execute(_STILL, {"user": user, "old": stored, "new": newer}):
                raise WrongCredentials(_WRONG)
            return self._sessions.start(transaction, user)

    def change(self, principal: Principal, old: str, new: str) -> Tokens:
        """Gives a user the password that they chose, ends their sessions and starts one.

        Raises WrongPassword or WeakPassword.
        """
        check_password(new, "/new_password")
        stored = self._database.read(principal.tenant, _FOUND, {"user": principal.user})
        if not self._passwords.verify(stored[0]["password_hash"] if stored else None, old):
            raise WrongPassword("The present password is another one.", field="/old_password")
        hashed = self._passwords.hash(new)
        with self._database.transaction(principal.tenant) as transaction:
            self._set(transaction, principal.user, hashed)
            return self._sessions.start(transaction, principal.user)

    def set(self, tenant: UUID, user: UUID, password: str, *, checked: bool = True) -> None:
        """Gives a user another password, and ends their sessions. Raises NotFound or WeakPassword."""
        if checked:
            check_password(password, "/password")
        hashed = self._passwords.hash(password)
        with self._database.transaction(tenant) as transaction:
            self._set(transaction, user, hashed)

    def set_first(self, tenant: UUID, user: UUID, password: str) -> None:
        """Gives a new user a password, of any length; one who has one keeps it, so that this can be repeated."""
        hashed = self._passwords.hash(password)
        with self._database.transaction(tenant) as transaction:
            transaction.execute(_KEEP + "DO NOTHING", {"user": user, "hash": hashed})

    def _user(self, tenant: TenantProfile | None, email: str) -> UUID | None:
        claim = Claim("user.email", email.casefold())
        if tenant is None or not tenant.active:
            return None
        holder = self._store.holders(tenant.id, (claim,)).get(claim)
        return stream_subject(holder)[1] if holder else None

    def _stored(self, tenant: TenantProfile | None, user: UUID | None) -> str | None:
        """The stored password of an active user. It is asked for even where there is nobody, for the time it takes."""
        rows = self._database.read(tenant.id if tenant else uuid4(), _FOUND, {"user": user or uuid4()})
        return rows[0]["password_hash"] if rows else None

    def _set(self, transaction: Transaction, user: UUID, hashed: str) -> None:
        known = transaction.execute(
            "SELECT 1 FROM principals WHERE tenant_id = %(tenant)s AND user_id = %(user)s FOR UPDATE", {"user": user}
        )
        if not known:
            raise NotFound("There is no such user.")
        transaction.execute(
            _KEEP + "DO UPDATE SET password_hash = excluded.password_hash, changed_at = excluded.changed_at",
            {"user": user, "hash": hashed},
        )
        self._sessions.end_all(transaction, user)
