"""Passwords: argon2id under a semaphore, since each hash takes 64 MiB."""

import threading
from functools import cached_property

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.profiles import RFC_9106_LOW_MEMORY

from domain.kernel import Refused

SHORTEST = 12
LONGEST = 1024


class WeakPassword(Refused):
    """A password that people set is long enough to be hard to guess."""

    code = "weak_password"


def check_password(password: str, field: str) -> None:
    """Refuses a password that is too short, or so long that hashing it is an attack."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise WeakPassword(f"A password has {SHORTEST} to {LONGEST} characters.", field=field)


class Passwords:
    """Hashes and verifies passwords, at most `parallel` at a time. RFC 9106's second recommended choice by default."""

    def __init__(self, *, parallel: int = 2, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher.from_parameters(RFC_9106_LOW_MEMORY)
        self._gate = threading.BoundedSemaphore(parallel)

    def hash(self, password: str) -> str:
        """The stored form of a password, with its parameters and salt."""
        with self._gate:
            return self._hasher.hash(_encoded(password))

    def verify(self, stored: str | None, password: str) -> bool:
        """Whether the password is right. Without a stored form it is not, which takes as long to find out."""
        try:
            with self._gate:
                self._hasher.verify(stored or self._of_nobody, _encoded(password))
        except (VerificationError, InvalidHashError):
            return False
        return stored is not None

    def is_outdated(self, stored: str) -> bool:
        """Whether a stored form was made with other parameters than today's."""
        return self._hasher.check_needs_rehash(stored)

    @cached_property
    def _of_nobody(self) -> str:
        return self._hasher.hash("the password of nobody")


def _encoded(password: str) -> bytes:
    """JSON may smuggle in half of a surrogate pair, which no strict encoder takes."""
    return password.encode("utf-8", "surrogatepass")
