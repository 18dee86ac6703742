"""Passwords: argon2id under a semaphore, since each hash takes 64 MiB; and what makes one too weak to be set."""

import re
import threading
from collections.abc import Collection
from functools import cached_property

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.profiles import RFC_9106_LOW_MEMORY
from zxcvbn import zxcvbn

from domain.kernel import Refused

SHORTEST = 12
LONGEST = 1024

_ESTIMATED = 32
"""Characters that are looked at: the estimate takes seconds for long texts that are made for it."""
_WORD = re.compile(r"[^\W_]+")
_OWN = 6
"""Letters and digits that a password has beside what is known of its owner."""
_HARD = 3
"""zxcvbn's score from which on guessing takes more than 10^8 tries."""


class WeakPassword(Refused):
    """A password that people set is long, is none that many people use, and doesn't say whose it is."""

    code = "weak_password"


def check_password(password: str, field: str, *, about: Collection[str] = ()) -> None:
    """Refuses a password that is too short, or so long that hashing it is an attack, or easy to guess.

    `about` is what is known of its owner: names, e-mail address, tenant. Raises WeakPassword.
    """
    if not SHORTEST <= len(password) <= LONGEST:
        raise WeakPassword(f"A password has {SHORTEST} to {LONGEST} characters.", field=field)
    known = {each for text in about for each in (text.casefold(), *_WORD.findall(text.casefold()))}
    if _left_without(known, password) < _OWN or (
        zxcvbn(password[:_ESTIMATED], user_inputs=sorted(known))["score"] < _HARD
    ):
        raise WeakPassword(
            "This password is easy to guess: it is one that many people use, repeats itself, or says whose it is. "
            "Take several words that have nothing to do with one another.",
            field=field,
        )


def _left_without(known: Collection[str], password: str) -> int:
    """How many letters and digits of a password say nothing of its owner."""
    left = password.casefold()
    for each in sorted(known, key=len, reverse=True):
        left = left.replace(each, " ") if len(each) > 2 else left
    return sum(each.isalnum() for each in left)


class Passwords:
    """Hashes and verifies passwords, at most `parallel` at a time. RFC 9106's second recommended choice by default.

    `opens_nothing` are passwords that are wrong whoever has them.
    """

    def __init__(
        self, *, parallel: int = 2, hasher: PasswordHasher | None = None, opens_nothing: Collection[str] = ()
    ) -> None:
        self._hasher = hasher or PasswordHasher.from_parameters(RFC_9106_LOW_MEMORY)
        self._opens_nothing = opens_nothing
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
        return stored is not None and password not in self._opens_nothing

    def is_outdated(self, stored: str) -> bool:
        """Whether a stored form was made with other parameters than today's."""
        return self._hasher.check_needs_rehash(stored)

    @cached_property
    def _of_nobody(self) -> str:
        return self._hasher.hash("the password of nobody")


def _encoded(password: str) -> bytes:
    """JSON may smuggle in half of a surrogate pair, which no strict encoder takes."""
    return password.encode("utf-8", "surrogatepass")
