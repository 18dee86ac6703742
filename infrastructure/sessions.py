"""Who is logged in: sessions with the refresh token that is valid now, and the rights that every request reads."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from msgspec import Struct
from uuid_utils.compat import uuid7

from domain.permissions import HELD_BY, Role
from infrastructure.postgres import Database, Transaction
from infrastructure.tokens import ACCESS_LIFETIME, AccessTokens, Claims, InvalidToken, RefreshToken

REFRESH_LIFETIME = timedelta(days=7)


class Principal(Struct, frozen=True, kw_only=True):
    """Who a request acts for, with the rights that they have now."""

    tenant: UUID
    user: UUID
    session: UUID
    role: Role

    @property
    def permissions(self) -> frozenset[str]:
        """What their role may do."""
        return HELD_BY[self.role]


class Tokens(Struct, frozen=True, kw_only=True):
    """What a client gets by logging in. `expires_in` counts the access token's seconds."""

    access_token: str
    refresh_token: str
    token_type: str = "Bearer"  # noqa: S105 - a scheme, no secret
    expires_in: int = int(ACCESS_LIFETIME.total_seconds())


class Sessions:
    """Starts, renews, checks and ends sessions."""

    def __init__(self, database: Database, access_tokens: AccessTokens) -> None:
        self._database = database
        self._access_tokens = access_tokens

    def principal(self, claims: Claims) -> Principal:
        """The rights of a token's bearer, in one round trip. Raises InvalidToken when they or the session are over."""
        rows = self._database.read(
            claims.tenant,
            "SELECT role, active, stamp, EXISTS (SELECT FROM sessions"
            " WHERE tenant_id = %(tenant)s AND session_id = %(session)s AND user_id = %(user)s) AS going_on"
            " FROM principals WHERE tenant_id = %(tenant)s AND user_id = %(user)s",
            {"user": claims.user, "session": claims.session},
        )
        if not rows or not rows[0]["active"] or rows[0]["stamp"] != claims.stamp or not rows[0]["going_on"]:
            raise InvalidToken("This session has ended, or its rights have changed: refresh it or log in again.")
        return Principal(tenant=claims.tenant, user=claims.user, session=claims.session, role=Role(rows[0]["role"]))

    def start(self, transaction: Transaction, user: UUID) -> Tokens:
        """A new session; the user's expired ones are cleared away. Raises InvalidToken for one who isn't active."""
        token = RefreshToken.new(transaction.tenant, uuid7())
        transaction.execute(
            "DELETE FROM sessions"
            " WHERE tenant_id = %(tenant)s AND user_id = %(user)s AND expires_at < clock_timestamp()",
            {"user": user},
        )
        transaction.execute(
            "INSERT INTO sessions (tenant_id, session_id, user_id, token_hash, started_at, expires_at) VALUES"
            " (%(tenant)s, %(session)s, %(user)s, %(hash)s, clock_timestamp(), clock_timestamp() + %(lifetime)s)",
            {"session": token.session, "user": user, "hash": token.digest, "lifetime": REFRESH_LIFETIME},
        )
        return self._tokens(transaction, user, token)

    def renew(self, text: str) -> Tokens:
        """New tokens for a refresh token, which is used up. Raises InvalidToken; one used before ends its session."""
        used = RefreshToken.read(text)
        token = RefreshToken.new(used.tenant, used.session)
        with self._database.transaction(used.tenant) as transaction:
            renewed = transaction.execute(
                "UPDATE sessions SET token_hash = %(new)s, expires_at = clock_timestamp() + %(lifetime)s"
                " WHERE tenant_id = %(tenant)s AND session_id = %(session)s AND token_hash = %(old)s"
                " AND expires_at > clock_timestamp() RETURNING user_id",
                {"new": token.digest, "old": used.digest, "session": used.session, "lifetime": REFRESH_LIFETIME},
            )
            if renewed:
                return self._tokens(transaction, renewed[0]["user_id"], token)
            self._ended(transaction, session=used.session)
        raise InvalidToken("This refresh token is not valid any more: log in again.")

    def end(self, tenant: UUID, session: UUID) -> None:
        """Logs out: the session's tokens are worth nothing from now on."""
        with self._database.transaction(tenant) as transaction:
            self._ended(transaction, session=session)

    def end_all(self, transaction: Transaction, user: UUID) -> None:
        """Ends all sessions of a user, and with the next stamp whatever tokens are still about."""
        transaction.execute("DELETE FROM sessions WHERE tenant_id = %(tenant)s AND user_id = %(user)s", {"user": user})
        transaction.execute(
            "UPDATE principals SET stamp = stamp + 1 WHERE tenant_id = %(tenant)s AND user_id = %(user)s",
            {"user": user},
        )

    def _ended(self, transaction: Transaction, *, session: UUID) -> None:
        transaction.execute(
            "DELETE FROM sessions WHERE tenant_id = %(tenant)s AND session_id = %(session)s", {"session": session}
        )

    def _tokens(self, transaction: Transaction, user: UUID, token: RefreshToken) -> Tokens:
        rows: list[dict[str, Any]] = transaction.execute(
            "SELECT stamp FROM principals WHERE tenant_id = %(tenant)s AND user_id = %(user)s AND active",
            {"user": user},
        )
        if not rows:
            raise InvalidToken("This user can't log in.")
        claims = Claims(tenant=transaction.tenant, user=user, session=token.session, stamp=rows[0]["stamp"])
        return Tokens(access_token=self._access_tokens.issue(claims), refresh_token=token.text)
