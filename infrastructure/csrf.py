"""CSRF tokens of cookie sessions (the HMAC-based token pattern): a page that can read one belongs to us."""

import hmac
from hashlib import sha256
from uuid import UUID


class CsrfTokens:
    """Makes and checks the token of a session. It holds as long as the session and the secret do."""

    def __init__(self, secret: str) -> None:
        # A key of its own: what is signed here can never pass for an access token.
        self._key = hmac.digest(secret.encode(), b"clientforge csrf", sha256)

    def of(self, session: UUID) -> str:
        """The token that a page sends along with whatever changes something."""
        return hmac.digest(self._key, session.bytes, sha256).hex()

    def belongs(self, given: str, session: UUID) -> bool:
        """Whether this is the token of that session."""
        return hmac.compare_digest(given.encode(), self.of(session).encode())
