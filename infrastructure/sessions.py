"""Who is logged in: sessions with the refresh token that is valid now, and the rights that every request reads."""

import ipaddress
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from msgspec import Struct
from uuid_utils.compat import uuid7

from domain.permissions import HELD_BY, Role
from infrastructure.postgres import Database, Transaction
from infrastructure.tokens import (
    ACCESS_LIFETIME,
    AccessTokens,
    Claims,
    ExpiredToken,
    InvalidToken,
    RefreshToken,
    RevokedToken,
)

REFRESH_LIFETIME = timedelta(days=7)

_SHOWN = 200
_LONGEST_AGENT = 200


class Principal(Struct, frozen=True, kw_only=True):
    """Who a request acts for, with the rights that they have now. `rate_limits` are an API key's own, by their kind."""

    tenant: UUID
    user: UUID
    session: UUID
    role: Role
    scopes: frozenset[str] | None = None
    by_key: bool = False
    rate_limits: Mapping[str, str] = {}

    @property
    def permissions(self) -> frozenset[str]:
        """What their role may do, and an API key only as far as its scopes go."""
        held = HELD_BY[self.role]
        return held if self.scopes is None else held & self.scopes


class Tokens(Struct, frozen=True, kw_only=True):
    """What a client gets by logging in. `expires_in` counts the access token's seconds."""

    access_token: str
    refresh_token: str
    token_type: str = "Bearer"  # noqa: S105 - a scheme, no secret
    expires_in: int = int(ACCESS_LIFETIME.total_seconds())


class Client(Struct, frozen=True, kw_only=True):
    """From where something was asked for, as far as it is known, and the request's id."""

    address: str | None = None
    agent: str | None = None
    request: str | None = None

    @property
    def network(self) -> str | None:
        """The address's network (of 24 bits, or 48 with IPv6): enough to recognise one's own, and no single machine."""
        try:
            address = ipaddress.ip_address((self.address or "").partition("%")[0])
        except ValueError:
            return None
        bits = 24 if address.version == 4 else 48
        return str(ipaddress.ip_interface(f"{address}/{bits}").network)


class OpenSession(Struct, frozen=True, kw_only=True):
    """A session as its user sees it. `last_used_at` is when it was last refreshed, `current` says that it is asking."""

    id: UUID
    started_at: datetime
    last_used_at: datetime
    expires_at: datetime
    network: str | None
    user_agent: str | None
    current: bool


class Reused(Struct, frozen=True, kw_only=True):
    """A refresh token that had been used up came back: the session that it belonged to has ended."""

    tenant: UUID
    user: UUID
    session: UUID


class Sessions:
    """Starts, renews, checks and ends sessions.

    For `grace` after a refresh, its token gives the same new token again, unless that one was used: two tabs that
    refresh at once, and a client whose answer got lost, stay logged in.
    """

    def __init__(
        self, database: Database, access_tokens: AccessTokens, *, grace: timedelta = timedelta(seconds=10)
    ) -> None:
        self._database = database
        self._access_tokens = access_tokens
        self._grace = grace

    def principal(self, claims: Claims) -> Principal:
        """The rights of a token's bearer, in one round trip. Raises RevokedToken when they or the session are over."""
        rows = self._database.read(
            claims.tenant,
            "SELECT role, active, stamp, EXISTS (SELECT FROM sessions"
            " WHERE tenant_id = %(tenant)s AND session_id = %(session)s AND user_id = %(user)s) AS going_on"
            " FROM principals WHERE tenant_id = %(tenant)s AND user_id = %(user)s",
            {"user": claims.user, "session": claims.session},
            one_plan=True,
        )
        if not rows or not rows[0]["active"] or rows[0]["stamp"] != claims.stamp or not rows[0]["going_on"]:
            raise RevokedToken("This session has ended, or its bearer's rights have changed: log in again.")
        return Principal(tenant=claims.tenant, user=claims.user, session=claims.session, role=Role(rows[0]["role"]))

    def start(self, transaction: Transaction, user: UUID, client: Client | None = None) -> Tokens:
        """A new session; the user's expired ones are cleared away. Raises RevokedToken for one who isn't active."""
        client = client or Client()
        token = RefreshToken.new(transaction.tenant, uuid7())
        transaction.execute(
            "DELETE FROM sessions"
            " WHERE tenant_id = %(tenant)s AND user_id = %(user)s AND expires_at < clock_timestamp()",
            {"user": user},
        )
        started = transaction.execute(
            _START,
            {
                "session": token.session,
                "user": user,
                "hash": token.digest,
                "family": token.family,
                "lifetime": REFRESH_LIFETIME,
                "network": client.network,
                "agent": printable(client.agent),
            },
        )
        if not started:
            raise RevokedToken("This user can't log in.")
        return self._tokens(token, user, started[0]["stamp"])

    def renew(self, text: str) -> Tokens | Reused:
        """New tokens for a refresh token, which is used up; or that it was before, and that its session has ended.

        A token that was made up names a session and ends none. Raises InvalidToken, ExpiredToken or RevokedToken.
        """
        used = RefreshToken.read(text)
        with self._database.transaction(used.tenant) as transaction:
            found = transaction.execute(_PRESENT, {"session": used.session})
            if not found or found[0]["family_hash"] not in (used.family, None):
                raise InvalidToken("This refresh token is not valid any more: log in again.")
            session = found[0]
            if not session["active"] or session["stamp"] != session["rights"]:
                raise RevokedToken("This session has ended, or its user's rights have changed: log in again.")
            if used.digest == session["token_hash"]:
                if session["expired"]:
                    raise ExpiredToken("This refresh token has expired: log in again.")
                token = self._rotated(transaction, used)
                return self._tokens(token, session["user_id"], session["stamp"])
            if used.digest == session["previous_hash"] and session["idle"] < self._grace:
                return self._tokens(used.successor(session["salt"]), session["user_id"], session["stamp"])
            self._ended(transaction, session=used.session)
        return Reused(tenant=used.tenant, user=session["user_id"], session=used.session)

    def list(self, principal: Principal) -> Sequence[OpenSession]:
        """The user's own sessions, the latest first."""
        rows = self._database.read(
            principal.tenant,
            "SELECT s.session_id, s.started_at, s.used_at, s.expires_at, s.network, s.agent FROM sessions s"
            " JOIN principals p ON p.tenant_id = s.tenant_id AND p.user_id = s.user_id AND p.stamp = s.stamp"
            " WHERE s.tenant_id = %(tenant)s AND s.user_id = %(user)s AND s.expires_at > clock_timestamp()"
            " ORDER BY s.used_at DESC, s.session_id LIMIT %(rows)s",
            {"user": principal.user, "rows": _SHOWN},
        )
        return [
            OpenSession(
                id=row["session_id"],
                started_at=row["started_at"],
                last_used_at=row["used_at"],
                expires_at=row["expires_at"],
                network=row["network"],
                user_agent=row["agent"],
                current=row["session_id"] == principal.session,
            )
            for row in rows
        ]

    def end(self, principal: Principal, session: UUID) -> bool:
        """Ends one of the user's own sessions: its tokens are worth nothing from now on. Whether there was one."""
        with self._database.transaction(principal.tenant) as transaction:
            ended = transaction.execute(
                "DELETE FROM sessions"
                " WHERE tenant_id = %(tenant)s AND session_id = %(session)s AND user_id = %(user)s RETURNING 1",
                {"session": session, "user": principal.user},
            )
        return bool(ended)

    def end_others(self, transaction: Transaction, user: UUID, present: UUID) -> None:
        """Ends all sessions of a user but one."""
        transaction.execute(
            "DELETE FROM sessions WHERE tenant_id = %(tenant)s AND user_id = %(user)s AND session_id <> %(present)s",
            {"user": user, "present": present},
        )

    def end_all(self, transaction: Transaction, user: UUID) -> None:
        """Ends all sessions of a user, and with the next stamp whatever tokens are still about."""
        transaction.execute("DELETE FROM sessions WHERE tenant_id = %(tenant)s AND user_id = %(user)s", {"user": user})
        transaction.execute(
            "UPDATE principals SET stamp = stamp + 1 WHERE tenant_id = %(tenant)s AND user_id = %(user)s",
            {"user": user},
        )

    def _rotated(self, transaction: Transaction, used: RefreshToken) -> RefreshToken:
        salt = secrets.token_bytes(32)
        token = used.successor(salt)
        transaction.execute(
            "UPDATE sessions SET token_hash = %(new)s, previous_hash = %(old)s, salt = %(salt)s,"
            " family_hash = %(family)s,"
            " used_at = clock_timestamp(), expires_at = clock_timestamp() + %(lifetime)s"
            " WHERE tenant_id = %(tenant)s AND session_id = %(session)s",
            {
                "new": token.digest,
                "old": used.digest,
                "family": used.family,
                "salt": salt,
                "session": used.session,
                "lifetime": REFRESH_LIFETIME,
            },
        )
        return token

    def _ended(self, transaction: Transaction, *, session: UUID) -> None:
        transaction.execute(
            "DELETE FROM sessions WHERE tenant_id = %(tenant)s AND session_id = %(session)s", {"session": session}
        )

    def _tokens(self, token: RefreshToken, user: UUID, stamp: int) -> Tokens:
        claims = Claims(tenant=token.tenant, user=user, session=token.session, stamp=stamp)
        return Tokens(access_token=self._access_tokens.issue(claims), refresh_token=token.text)


def printable(agent: str | None) -> str | None:
    """What a client calls itself, as it can be shown."""
    shown = "".join(each for each in agent or "" if each.isprintable())[:_LONGEST_AGENT]
    return shown or None


_START = """
INSERT INTO sessions (
    tenant_id, session_id, user_id, token_hash, family_hash, started_at, used_at, expires_at, stamp, network, agent
)
SELECT p.tenant_id, %(session)s, p.user_id, %(hash)s, %(family)s, clock_timestamp(), clock_timestamp(),
       clock_timestamp() + %(lifetime)s, p.stamp, %(network)s, %(agent)s
FROM principals p WHERE p.tenant_id = %(tenant)s AND p.user_id = %(user)s AND p.active
ON CONFLICT DO NOTHING
RETURNING stamp
"""

_PRESENT = """
SELECT s.user_id, s.token_hash, s.family_hash, s.previous_hash, s.salt, s.stamp,
       s.expires_at <= clock_timestamp() AS expired, clock_timestamp() - s.used_at AS idle, p.active, p.stamp AS rights
FROM sessions s
JOIN principals p ON p.tenant_id = s.tenant_id AND p.user_id = s.user_id
WHERE s.tenant_id = %(tenant)s AND s.session_id = %(session)s
FOR UPDATE OF s
"""
