"""Tokens: short-lived signed ones that open the API, and opaque ones that renew them."""

import hmac
import secrets
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

import jwt
from msgspec import Struct
from uuid_utils.compat import uuid7

from domain.kernel import Refused

ACCESS_LIFETIME = timedelta(minutes=15)

_ALGORITHM = "HS256"
_ISSUER = "clientforge"
_AUDIENCE = "clientforge-api"
_CLAIMS = ("iss", "aud", "sub", "tenant", "session", "stamp", "exp", "nbf", "iat", "jti")
_CLOCK_SKEW = timedelta(seconds=5)
_SECRET_BYTES = 32
_FAMILY_BYTES = 16
_KEPT = 10_000


class InvalidToken(Refused):
    """The token is none of ours, or isn't whole."""

    code = "invalid_token"


class ExpiredToken(Refused):
    """The token is ours, and its time is over."""

    code = "expired_token"


class RevokedToken(Refused):
    """The token is ours, but its session was ended, or its bearer's rights have changed."""

    code = "revoked_token"


class Claims(Struct, frozen=True, kw_only=True):
    """What an access token says: who, in which tenant and session, and the stamp of their rights when it was made."""

    tenant: UUID
    user: UUID
    session: UUID
    stamp: int
    key_hash: bytes | None = None
    """Of an API key, whose id stands as the session; an access token has none."""


class AccessTokens:
    """Makes and reads access tokens: JWT (RFC 7519), HMAC-SHA-256 and nothing else.

    Signs with `secret`, and reads also what `previous` has signed: so a secret is replaced with nobody logged out.
    """

    def __init__(self, secret: str, previous: str | None = None) -> None:
        self._secret = secret.encode()
        self._key_id = key_id(self._secret)
        self._secrets = {key_id(each): each for each in (previous.encode() if previous else b"", self._secret) if each}
        self._verified: dict[str, tuple[float, Claims]] = {}

    def issue(self, claims: Claims, *, now: datetime | None = None) -> str:
        """A token of 15 minutes."""
        now = now or datetime.now(UTC)
        said = {
            "iss": _ISSUER,
            "aud": _AUDIENCE,
            "sub": str(claims.user),
            "tenant": str(claims.tenant),
            "session": str(claims.session),
            "stamp": claims.stamp,
            "exp": now + ACCESS_LIFETIME,
            "nbf": now,
            "iat": now,
            "jti": str(uuid7()),
        }
        return jwt.encode(said, self._secret, algorithm=_ALGORITHM, headers={"kid": self._key_id})

    def read(self, token: str) -> Claims:
        """What a token says. Raises InvalidToken when it is not ours, altered or early, ExpiredToken when it is over.

        A token that was verified once is known until it expires: verifying costs more than a round trip.
        """
        expires, claims = self._verified.get(token) or self._verify(token)
        if expires <= time.time():
            self._verified.pop(token, None)
            raise ExpiredToken("This access token has expired: refresh it.")
        return claims

    def _verify(self, token: str) -> tuple[float, Claims]:
        try:
            _check_signature_text(token)
            said = jwt.decode(
                token,
                self._secret_of(jwt.get_unverified_header(token)),
                algorithms=[_ALGORITHM],
                issuer=_ISSUER,
                audience=_AUDIENCE,
                leeway=_CLOCK_SKEW,
                options={"require": list(_CLAIMS), "verify_exp": False},
            )
            claims = Claims(
                tenant=UUID(said["tenant"]),
                user=UUID(said["sub"]),
                session=UUID(said["session"]),
                stamp=int(said["stamp"]),
            )
            verified = float(said["exp"]) + _CLOCK_SKEW.total_seconds(), claims
        except (jwt.PyJWTError, ValueError, TypeError, AttributeError, OverflowError):
            raise InvalidToken("This is not a valid access token.") from None
        if len(self._verified) >= _KEPT:
            self._verified.clear()
        self._verified[token] = verified
        return verified

    def _secret_of(self, header: dict[str, Any]) -> bytes:
        """The secret that a header names. Raises InvalidToken for one with anything but what we write."""
        secret = self._secrets.get(str(header.get("kid")))
        if secret is None or header != {"alg": _ALGORITHM, "typ": "JWT", "kid": header["kid"]}:
            raise InvalidToken("This is not a valid access token.")
        return secret


def _check_signature_text(token: str) -> None:
    """Raises ValueError for a signature with letters that decoding passes over: each token has one text."""
    signature = token.rpartition(".")[2]
    raw = urlsafe_b64decode(signature.encode("ascii") + b"=" * (-len(signature) % 4))
    if urlsafe_b64encode(raw).rstrip(b"=") != signature.encode("ascii"):
        raise ValueError("not as we write it")


def key_id(secret: bytes) -> str:
    """What tokens call a secret: nothing of it can be learnt from that."""
    return urlsafe_b64encode(hmac.digest(secret, b"clientforge key id", sha256)[:9]).decode()


class RefreshToken(Struct, frozen=True, kw_only=True):
    """What renews a session, once. It says its tenant and session, since nothing is looked up without a tenant.

    The first half of its secret is that of all tokens of the session: only who had one can have an old one.
    """

    tenant: UUID
    session: UUID
    secret: bytes

    @classmethod
    def new(cls, tenant: UUID, session: UUID) -> "RefreshToken":
        """Another token for a session."""
        return cls(tenant=tenant, session=session, secret=secrets.token_bytes(_SECRET_BYTES))

    @classmethod
    def read(cls, text: str) -> "RefreshToken":
        """The token of its text form. Raises InvalidToken."""
        try:
            raw = urlsafe_b64decode(text.encode("ascii"))
        except ValueError:
            raw = b""
        if len(raw) != 32 + _SECRET_BYTES:
            raise InvalidToken("This is not a valid refresh token.")
        token = cls(tenant=UUID(bytes=raw[:16]), session=UUID(bytes=raw[16:32]), secret=raw[32:])
        if token.text != text:  # what no token has in it is passed over when decoding
            raise InvalidToken("This is not a valid refresh token.")
        return token

    def successor(self, salt: bytes) -> "RefreshToken":
        """The next token of the session. Who has this one and the salt makes the same one again; nobody else can."""
        changing = hmac.digest(self.secret, salt, sha256)[: _SECRET_BYTES - _FAMILY_BYTES]
        return RefreshToken(tenant=self.tenant, session=self.session, secret=self.secret[:_FAMILY_BYTES] + changing)

    @property
    def text(self) -> str:
        """As clients carry it."""
        return urlsafe_b64encode(self.tenant.bytes + self.session.bytes + self.secret).decode()

    @property
    def digest(self) -> bytes:
        """What is stored of it. Its secret is random enough to need no salt."""
        return sha256(self.secret).digest()

    @property
    def family(self) -> bytes:
        """What is stored of the half that all tokens of the session have in common."""
        return sha256(self.secret[:_FAMILY_BYTES]).digest()
