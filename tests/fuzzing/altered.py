"""Texts that were right before something was done to them."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

from hypothesis import strategies as st

PRINTABLE = st.characters(min_codepoint=0x21, max_codepoint=0x7E)
"""What a header or an address can carry as it is."""

_JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda each: st.lists(each, max_size=3) | st.dictionaries(st.text(max_size=5), each, max_size=3),
    max_leaves=5,
)
_CLAIMS = ("iss", "aud", "sub", "tenant", "session", "stamp", "exp", "nbf", "iat", "jti", "alg", "typ", "kid", "crit")


@st.composite
def altered(draw: st.DrawFn, text: str, characters: st.SearchStrategy[str] = PRINTABLE) -> str:
    """The text with some characters replaced, left out, or put in between."""
    place = draw(st.integers(0, len(text)))
    gone = draw(st.integers(0, 3))
    new = draw(st.text(characters, max_size=3))
    return text[:place] + new + text[place + gone :]


@st.composite
def altered_token(draw: st.DrawFn, token: str) -> str:
    """A JWT with one of its parts altered: its letters, or what it says."""
    parts = token.split(".")
    number = draw(st.integers(0, 2))
    if number < 2 and draw(st.booleans()):
        said = json.loads(urlsafe_b64decode(parts[number] + "=="))
        changes = st.dictionaries(st.sampled_from(_CLAIMS) | st.text(max_size=5), _JSON, min_size=1, max_size=3)
        told = json.dumps({**said, **draw(changes)}).encode()
        parts[number] = urlsafe_b64encode(told).decode().rstrip("=")
    else:
        parts[number] = draw(altered(parts[number]) | st.text(PRINTABLE, max_size=80))
    return ".".join(parts)


def nested(depth: int) -> str:
    """A header of a JWT that is a list of lists of lists."""
    return urlsafe_b64encode(b"[" * depth).decode().rstrip("=")
