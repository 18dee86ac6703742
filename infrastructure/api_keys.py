"""API keys: what a program shows instead of logging in. They act for a user, with their rights or some of them."""

import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct
from psycopg.types.json import Jsonb
from uuid_utils.compat import uuid7

from domain.kernel import Invalid, NotFound, Refused
from domain.permissions import Role
from infrastructure.key_limits import KeyRateLimits
from infrastructure.postgres import Database, Transaction
from infrastructure.sessions import Principal
from infrastructure.tokens import Claims, ExpiredToken, InvalidToken, RevokedToken

PREFIX = "cfk_"
"""How every key begins: whoever finds one somewhere knows what it is."""

MOST_KEYS = 100
_SECRET_BYTES = 32
_SHOWN_OF_ID = 20
"""Letters that the id alone decides: fifteen of its bytes."""
_USE_IS_TOLD_AGAIN_AFTER = timedelta(hours=1)
_KEPT = 10_000
"""Keys that a process knows to be proven; beyond, it forgets them and looks anew."""


class ApiKey(Struct, frozen=True, kw_only=True):
    """A key as its owner sees it. `prefix` is how it begins; `scopes` None stands for all that the owner may do;
    `rate_limits` are the key's own, beside those that hold for all."""

    id: UUID
    name: str
    prefix: str
    scopes: tuple[str, ...] | None
    made_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    rate_limits: KeyRateLimits


class KeyToken(Struct, frozen=True, kw_only=True):
    """A key itself. It says its tenant and user, since nothing is looked up without a tenant."""

    tenant: UUID
    user: UUID
    id: UUID
    secret: bytes

    @classmethod
    def new(cls, tenant: UUID, user: UUID) -> "KeyToken":
        """Another key of a user."""
        return cls(tenant=tenant, user=user, id=uuid7(), secret=secrets.token_bytes(_SECRET_BYTES))

    @classmethod
    def read(cls, text: str) -> "KeyToken":
        """The key of its text form. Raises InvalidToken."""
        try:
            raw = urlsafe_b64decode(text.removeprefix(PREFIX).encode("ascii"))
        except ValueError:
            raw = b""
        if len(raw) != 48 + _SECRET_BYTES:
            raise InvalidToken("This is not a valid API key.")
        tenant, user, id = (UUID(bytes=raw[start : start + 16]) for start in (32, 16, 0))
        token = cls(tenant=tenant, user=user, id=id, secret=raw[48:])
        if token.text != text:  # what no key has in it is passed over when decoding
            raise InvalidToken("This is not a valid API key.")
        return token

    @property
    def text(self) -> str:
        """As programs carry it; its own id comes first, so that its beginning tells it from others."""
        raw = self.id.bytes + self.user.bytes + self.tenant.bytes + self.secret
        return PREFIX + urlsafe_b64encode(raw).decode()

    @property
    def claims(self) -> Claims:
        """What it says of its bearer, unproven before the stored hash agrees."""
        hashed = sha256(self.secret).digest()
        return Claims(tenant=self.tenant, user=self.user, session=self.id, stamp=0, key_hash=hashed)


class ApiKeys:
    """Makes, checks, lists and ends keys."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._proven: set[Claims] = set()

    def make(
        self,
        owner: Principal,
        name: str,
        scopes: Collection[str] | None,
        expires_at: datetime | None,
        rate_limits: KeyRateLimits,
    ) -> tuple[ApiKey, str]:
        """A new key, and its text, which is not kept.

        Raises Invalid for scopes that the owner doesn't have, RevokedToken when their session is over.
        """
        if scopes is not None and (missing := sorted(set(scopes) - owner.permissions)):
            raise Invalid(f"You may not do {missing[0]} yourself.", field="/scopes")
        if expires_at is not None and expires_at <= datetime.now(UTC):
            raise Invalid("A key expires in the future, or never.", field="/expires_at")
        limits = rate_limits.over({})
        token = KeyToken.new(owner.tenant, owner.user)
        with self._database.transaction(owner.tenant) as transaction:
            # Whatever ends all keys of a user holds these rights, too: no key is made behind it.
            if not transaction.execute(_STILL, {"user": owner.user, "session": owner.session}):
                raise RevokedToken("This session has ended, or its bearer's rights have changed: log in again.")
            made = transaction.execute(
                "INSERT INTO api_keys (tenant_id, key_id, user_id, name, hash, scopes, made_at, expires_at,"  # noqa: S608
                " rate_limits)"
                " SELECT %(tenant)s, %(id)s, %(user)s, %(name)s, %(hash)s, %(scopes)s, clock_timestamp(), %(expires)s,"
                " %(limits)s"
                " WHERE (SELECT count(*) FROM api_keys WHERE tenant_id = %(tenant)s AND user_id = %(user)s) < %(most)s"
                f" ON CONFLICT DO NOTHING RETURNING {_SHOWN}",
                {
                    "id": token.id,
                    "user": owner.user,
                    "name": name,
                    "hash": token.claims.key_hash,
                    "scopes": None if scopes is None else sorted(set(scopes)),
                    "expires": expires_at,
                    "limits": Jsonb(limits),
                    "most": MOST_KEYS,
                },
            )
        if not made:
            raise Invalid(f"A user has at most {MOST_KEYS} keys: end one that is not used any more.", field="/name")
        return api_key(made[0]), token.text

    def principal(self, claims: Claims) -> tuple[Principal, bool]:
        """The rights of a key's bearer, and whether its use is worth telling: for the first time in an hour.

        Raises InvalidToken, ExpiredToken or RevokedToken.
        """
        row = self._row(claims)
        scopes = row["scopes"]
        bearer = Principal(
            tenant=claims.tenant,
            user=claims.user,
            session=claims.session,
            role=Role(row["role"]),
            scopes=None if scopes is None else frozenset(scopes),
            by_key=True,
            rate_limits=row["rate_limits"],
        )
        return bearer, self._used(claims, row["idle"])

    def is_proven(self, claims: Claims) -> bool:
        """Whether claims are known to be true: an access token's by its signature, a key's since this process saw it
        hold. That it holds still, `principal` alone says."""
        return claims.key_hash is None or claims in self._proven

    def prove(self, claims: Claims) -> None:
        """Has a key proven from now on. Raises InvalidToken, ExpiredToken or RevokedToken."""
        self._row(claims)
        if len(self._proven) >= _KEPT:
            self._proven.clear()
        self._proven.add(claims)

    def _row(self, claims: Claims) -> Mapping[str, Any]:
        """What is stored of a key. Raises InvalidToken, ExpiredToken or RevokedToken; it isn't proven any more then."""
        rows = self._database.read(claims.tenant, _BEARER, {"id": claims.session, "user": claims.user}, one_plan=True)
        try:
            if not rows or not secrets.compare_digest(rows[0]["hash"], claims.key_hash or b""):
                raise InvalidToken("This is not a valid API key.")
            if rows[0]["expired"]:
                raise ExpiredToken("This API key has expired: make another one.")
            if not rows[0]["active"]:
                raise RevokedToken("The user of this API key is deactivated.")
        except Refused:
            self._proven.discard(claims)
            raise
        return rows[0]

    def list(self, owner: Principal) -> Sequence[ApiKey]:
        """The owner's keys, the latest first."""
        rows = self._database.read(
            owner.tenant,
            "SELECT * FROM api_keys WHERE tenant_id = %(tenant)s AND user_id = %(user)s"
            " ORDER BY made_at DESC, key_id LIMIT %(most)s",
            {"user": owner.user, "most": MOST_KEYS},
        )
        return [api_key(row) for row in rows]

    def limit(self, owner: Principal, id: UUID, changed: KeyRateLimits) -> ApiKey:
        """Changes the limits of one of the owner's keys, from its next request on. Raises NotFound or Invalid."""
        with self._database.transaction(owner.tenant) as transaction:
            found = transaction.execute(
                f"SELECT {_SHOWN} FROM api_keys"  # noqa: S608
                " WHERE tenant_id = %(tenant)s AND key_id = %(id)s AND user_id = %(user)s FOR UPDATE",
                {"id": id, "user": owner.user},
            )
            if not found:
                raise NotFound("There is no such API key.")
            limits = changed.over(found[0]["rate_limits"])
            transaction.execute(
                "UPDATE api_keys SET rate_limits = %(limits)s WHERE tenant_id = %(tenant)s AND key_id = %(id)s",
                {"id": id, "limits": Jsonb(limits)},
            )
        return api_key({**found[0], "rate_limits": limits})

    def end(self, owner: Principal, id: UUID) -> None:
        """Ends one of the owner's keys at once. Raises NotFound."""
        with self._database.transaction(owner.tenant) as transaction:
            ended = transaction.execute(
                "DELETE FROM api_keys WHERE tenant_id = %(tenant)s AND key_id = %(id)s AND user_id = %(user)s"
                " RETURNING 1",
                {"id": id, "user": owner.user},
            )
        if not ended:
            raise NotFound("There is no such API key.")

    def _used(self, claims: Claims, idle: timedelta | None) -> bool:
        """Notes the use, at most once a minute; whether this is the first one in an hour."""
        if idle is not None and idle < timedelta(minutes=1):
            return False
        with self._database.transaction(claims.tenant) as transaction:
            noted = transaction.execute(
                "UPDATE api_keys SET used_at = clock_timestamp() WHERE tenant_id = %(tenant)s AND key_id = %(id)s"
                " AND (used_at IS NULL OR used_at < clock_timestamp() - interval '1 minute') RETURNING 1",
                {"id": claims.session},
            )
        return bool(noted) and (idle is None or idle > _USE_IS_TOLD_AGAIN_AFTER)


def revoked(transaction: Transaction, user: UUID, keys: Collection[UUID] | None = None) -> Sequence[UUID]:
    """Ends a user's keys, all or those that are named; which ones there were. The caller holds the user's rights."""
    ended = transaction.execute(
        "DELETE FROM api_keys WHERE tenant_id = %(tenant)s AND user_id = %(user)s"
        " AND (%(keys)s::uuid[] IS NULL OR key_id = ANY(%(keys)s)) RETURNING key_id",
        {"user": user, "keys": None if keys is None else list(keys)},
    )
    return sorted(row["key_id"] for row in ended)


_SHOWN = "key_id, name, scopes, made_at, expires_at, used_at, rate_limits"

_STILL = """
SELECT 1 FROM principals p
JOIN sessions s ON s.tenant_id = p.tenant_id AND s.user_id = p.user_id AND s.stamp = p.stamp
WHERE p.tenant_id = %(tenant)s AND s.tenant_id = %(tenant)s AND p.user_id = %(user)s AND p.active
  AND s.session_id = %(session)s
FOR UPDATE OF p
"""

_BEARER = """
SELECT k.hash, k.scopes, k.rate_limits, coalesce(k.expires_at <= clock_timestamp(), false) AS expired,
       clock_timestamp() - k.used_at AS idle, p.role, p.active
FROM api_keys k JOIN principals p ON p.tenant_id = k.tenant_id AND p.user_id = k.user_id
WHERE k.tenant_id = %(tenant)s AND p.tenant_id = %(tenant)s AND k.key_id = %(id)s AND k.user_id = %(user)s
"""


def api_key(row: Mapping[str, Any]) -> ApiKey:
    """A stored key as its owner sees it."""
    return ApiKey(
        id=row["key_id"],
        name=row["name"],
        prefix=PREFIX + urlsafe_b64encode(row["key_id"].bytes).decode()[:_SHOWN_OF_ID],
        scopes=None if row["scopes"] is None else tuple(row["scopes"]),
        made_at=row["made_at"],
        expires_at=row["expires_at"],
        last_used_at=row["used_at"],
        rate_limits=msgspec.convert(row["rate_limits"], KeyRateLimits),
    )
