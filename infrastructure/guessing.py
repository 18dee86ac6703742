"""How hard secrets of processes are to guess: such as sign tokens, wrap keys, and open stores.

Secrets come from a generator, not from people. What somebody typed, derived from words or continued by a rule is told
from that by what generators don't do; that a secret was generated well can't be seen from it.
"""

import base64
import binascii
import math
import re
from collections import Counter
from collections.abc import Collection, Iterator
from functools import cache
from itertools import pairwise

_LEAST_BITS = 100
_PLACEHOLDER = re.compile(
    r"secret|change.?me|password|example|clientforge|default|letmein|12345|qwert|abcde", re.IGNORECASE
)
_RUN = re.compile(r"[A-Z]?[a-z]+|[A-Z]+")
"""Letters that may be a word, also InCamelCase."""
_SHORTEST_WORD = 3
_ESTIMATED = 64
"""Characters that are looked at: zxcvbn takes long for long texts."""
_HARD = 3
"""zxcvbn's score from which on guessing takes more than 10^8 tries."""
_LEAST_DIGITS = 0.8
"""Of the power of ten that zxcvbn estimates, per character. Generated ones have 0.88 to 1, sentences some 0.75."""
_DISTINCT = 20
"""32 random bytes are nearly all different."""
_STEPS = 16
"""And so are the 31 steps from each to the next: those of counters are not, whichever way they count."""


def is_guessable(secret: str) -> bool:
    """Whether a secret holds a word of examples, consists of words, repeats or continues itself, or has too little
    variety: below 100 bits by its own letters' entropy."""
    if _PLACEHOLDER.search(secret) or _bits(secret) < _LEAST_BITS or _is_made_of_words(secret):
        return True
    if any(_is_typed(each) for each in _decoded(secret)):
        return True
    estimated = secret[:_ESTIMATED]
    return _tries(estimated) < _LEAST_DIGITS * len(estimated)


def is_guessable_key(key: bytes) -> bool:
    """Whether 32 bytes are a text, a counter, or a pattern."""
    steps = {(after - before) % 256 for before, after in pairwise(key)}
    return _is_typed(key) or len(set(key)) < _DISTINCT or len(steps) < _STEPS


def is_weak_password(password: str, about: Collection[str] = ()) -> bool:
    """Whether a program finds the password of a store within 10^8 tries. `about` is what the store's address says."""
    from zxcvbn import zxcvbn  # noqa: PLC0415 - reads its words, and only production asks

    known = sorted({each.casefold() for each in about if each})
    return bool(zxcvbn(password[:_ESTIMATED], user_inputs=known)["score"] < _HARD) if password else True


def _bits(text: str) -> float:
    """Shannon's entropy of a text, taking its own letters' frequencies for their source's."""
    return -sum(count * math.log2(count / len(text)) for count in Counter(text).values())


def _tries(text: str) -> float:
    """The tries that zxcvbn expects, as a power of ten."""
    from zxcvbn import zxcvbn  # noqa: PLC0415

    return float(zxcvbn(text)["guesses_log10"])


def _is_made_of_words(secret: str) -> bool:
    runs = (run.lower() for run in _RUN.findall(secret) if len(run) >= _SHORTEST_WORD)
    return 2 * sum(len(run) for run in runs if run in _words()) >= len(secret)


@cache
def _words() -> frozenset[str]:
    from zxcvbn.frequency_lists import FREQUENCY_LISTS  # noqa: PLC0415

    return frozenset(word for words in FREQUENCY_LISTS.values() for word in words)


def _decoded(secret: str) -> Iterator[bytes]:
    """The bytes that a secret may be the base64 or hexadecimal form of."""
    for decode in (base64.b64decode, base64.urlsafe_b64decode, bytes.fromhex):
        try:
            yield decode(secret)
        except (binascii.Error, ValueError):
            continue


def _is_typed(key: bytes) -> bool:
    """Whether these bytes are a text that was typed: none of 20 random ones is, in a million."""
    return len(key) >= _DISTINCT and key.isascii() and key.decode().isprintable()
