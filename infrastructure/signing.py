"""Signatures over what clients carry and bring back: CSRF tokens and cursors."""

import hmac
from base64 import urlsafe_b64encode
from hashlib import sha256


class Signer:
    """HMAC-SHA-256 (RFC 2104) under a key of its own for each purpose: what is signed for one never fits another."""

    def __init__(self, secret: str, purpose: str) -> None:
        self._key = hmac.digest(secret.encode(), f"clientforge {purpose}".encode(), sha256)

    def of(self, *parts: str) -> str:
        """The signature of these texts in this order: 32 letters."""
        message = b"".join(len(each.encode()).to_bytes(4, "big") + each.encode() for each in parts)
        return urlsafe_b64encode(hmac.digest(self._key, message, sha256)[:24]).decode()

    def fits(self, given: str, *parts: str) -> bool:
        """Whether this is their signature."""
        return hmac.compare_digest(given.encode(), self.of(*parts).encode())
