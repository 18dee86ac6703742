"""What links in mails open: one token per user and kind, used once, of which only the hash is stored.

Whoever asks for a mail leaves a row that waits. The worker that sends the mail makes the token, so that it is nowhere
but in the mail, and asking takes the same time whether there is anybody to be mailed to.
"""

import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from uuid import UUID

from msgspec import Struct

from domain.kernel import Refused
from infrastructure.postgres import Database, Transaction

PREFIX = "cfl_"
"""How every token begins: whoever finds one somewhere knows what it is, and logs leave it out."""

_SECRET_BYTES = 32
_LEASE = timedelta(seconds=60)
"""How long nobody else sends a mail that somebody is sending."""


class LinkNotValid(Refused):
    """The link's token was used before, has expired or been replaced by a newer one, or is none of ours."""

    code = "link_not_valid"

    def __init__(self) -> None:
        super().__init__("This link is not valid any more: ask for another one.", field="/token")


class Kind(StrEnum):
    """What a mail is for."""

    RESET = "reset"
    VERIFICATION = "verification"
    INVITATION = "invitation"


_CODES = {Kind.RESET: b"r", Kind.VERIFICATION: b"v", Kind.INVITATION: b"i"}


class MailedToken(Struct, frozen=True, kw_only=True):
    """A token itself. It says its tenant and user, since nothing is looked up without a tenant."""

    kind: Kind
    tenant: UUID
    user: UUID
    secret: bytes

    @classmethod
    def new(cls, kind: Kind, tenant: UUID, user: UUID) -> "MailedToken":
        """Another token for a user."""
        return cls(kind=kind, tenant=tenant, user=user, secret=secrets.token_bytes(_SECRET_BYTES))

    @classmethod
    def read(cls, kind: Kind, text: str) -> "MailedToken":
        """The token of its text form. Raises LinkNotValid, also for a token of another kind."""
        try:
            raw = urlsafe_b64decode(text.removeprefix(PREFIX).encode("ascii") + b"==")
        except ValueError:
            raw = b""
        if len(raw) != 33 + _SECRET_BYTES or raw[:1] != _CODES[kind]:
            raise LinkNotValid
        return cls(kind=kind, tenant=UUID(bytes=raw[1:17]), user=UUID(bytes=raw[17:33]), secret=raw[33:])

    @property
    def text(self) -> str:
        """As links carry it."""
        raw = _CODES[self.kind] + self.tenant.bytes + self.user.bytes + self.secret
        return PREFIX + urlsafe_b64encode(raw).decode().rstrip("=")

    @property
    def digest(self) -> bytes:
        """What is stored of it. Its secret is random enough to need no salt."""
        return sha256(self.secret).digest()


class Found(Struct, frozen=True, kw_only=True):
    """A token that is good so far: until when, and the version of its user when it was mailed."""

    expires_at: datetime
    user_version: int


class MailedTokens:
    """The tokens of all tenants."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def ask(self, tenant: UUID, user: UUID, kind: Kind) -> None:
        """Has a mail wait to be sent. The token before stays good until then."""
        with self._database.transaction(tenant) as transaction:
            transaction.execute(_ASK, {"user": user, "kind": kind})

    def state(self, tenant: UUID, user: UUID, kind: Kind) -> bool | None:
        """Whether such a mail waits to be sent; None where none was asked for since the last was used or made void."""
        rows = self._database.read(tenant, _STATE, {"user": user, "kind": kind})
        return rows[0]["waiting"] if rows else None

    def take(self, token: MailedToken, version: int, lifetime: timedelta) -> bool:
        """Puts this token into the place of the one before, for who sends it.

        Not where no mail waits, or somebody else is sending it.
        """
        told = {**_named(token), "version": version, "lifetime": lifetime, "lease": _LEASE}
        with self._database.transaction(token.tenant) as transaction:
            return bool(transaction.execute(_TAKE, told))

    def give_back(self, token: MailedToken, *, waiting: bool) -> None:
        """Ends the sending of this token's mail, which waits on where it couldn't be sent for now."""
        with self._database.transaction(token.tenant) as transaction:
            transaction.execute(_GIVE_BACK, {**_named(token), "waiting": waiting})

    def drop(self, tenant: UUID, user: UUID, kind: Kind) -> None:
        """Has a mail wait no longer."""
        with self._database.transaction(tenant) as transaction:
            transaction.execute(_DROP, {"user": user, "kind": kind})

    def find(self, token: MailedToken) -> Found:
        """What is known of a token that is good. Raises LinkNotValid."""
        rows = self._database.read(token.tenant, _FIND, _named(token))
        if not rows:
            raise LinkNotValid
        return Found(**rows[0])


def redeem(transaction: Transaction, token: MailedToken) -> None:
    """Uses a token up: of any number of transactions at once, one gets through. Raises LinkNotValid."""
    if not transaction.execute(_REDEEM, _named(token)):
        raise LinkNotValid


def void_tokens(transaction: Transaction, user: UUID) -> None:
    """Makes all tokens of a user void, and has no mail wait for them."""
    transaction.execute(_VOID, {"user": user})


def _named(token: MailedToken) -> dict[str, object]:
    return {"user": token.user, "kind": token.kind, "hash": token.digest}


_ASK = """
INSERT INTO mailed_tokens (tenant_id, user_id, kind, waiting) VALUES (%(tenant)s, %(user)s, %(kind)s, true)
ON CONFLICT (tenant_id, user_id, kind) DO UPDATE SET waiting = true
"""
_STATE = "SELECT waiting FROM mailed_tokens WHERE tenant_id = %(tenant)s AND user_id = %(user)s AND kind = %(kind)s"
_TAKE = """
UPDATE mailed_tokens
SET token_hash = %(hash)s, user_version = %(version)s, expires_at = clock_timestamp() + %(lifetime)s,
    taken_until = clock_timestamp() + %(lease)s
WHERE tenant_id = %(tenant)s AND user_id = %(user)s AND kind = %(kind)s AND waiting
  AND (taken_until IS NULL OR taken_until < clock_timestamp())
RETURNING 1
"""
_GIVE_BACK = """
UPDATE mailed_tokens SET waiting = %(waiting)s, taken_until = NULL
WHERE tenant_id = %(tenant)s AND user_id = %(user)s AND kind = %(kind)s AND token_hash = %(hash)s
"""
_DROP = """
UPDATE mailed_tokens SET waiting = false
WHERE tenant_id = %(tenant)s AND user_id = %(user)s AND kind = %(kind)s
"""
_FIND = """
SELECT expires_at, user_version FROM mailed_tokens
WHERE tenant_id = %(tenant)s AND user_id = %(user)s AND kind = %(kind)s AND token_hash = %(hash)s
  AND expires_at > clock_timestamp()
"""
_REDEEM = """
DELETE FROM mailed_tokens
WHERE tenant_id = %(tenant)s AND user_id = %(user)s AND kind = %(kind)s AND token_hash = %(hash)s
  AND expires_at > clock_timestamp()
RETURNING 1
"""
_VOID = "DELETE FROM mailed_tokens WHERE tenant_id = %(tenant)s AND user_id = %(user)s"
