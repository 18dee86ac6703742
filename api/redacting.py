"""Takes secrets out of what is logged: whoever reads logs shall not become whoever they tell of.

Nothing here logs a secret on purpose. This is for messages that quote what they failed on: a URL, a header, a token.
"""

import re

_GONE = "[redacted]"
_PATTERNS = (
    # scheme://user:password@host
    (re.compile(r"(?P<kept>[a-z][a-z0-9+.-]*://[^\s:/@]*:)[^\s/@]+(?=@)", re.IGNORECASE), r"\g<kept>" + _GONE),
    # Authorization: Bearer … and Basic …
    (re.compile(r"(?P<kept>\b(?:bearer|basic)\s+)[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE), r"\g<kept>" + _GONE),
    # a JSON Web Token anywhere
    (re.compile(r"\beyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*)?"), _GONE),
    # an API key, or the token of a link in a mail, anywhere
    (re.compile(r"\bcf[kl]_[A-Za-z0-9_-]{20,}"), _GONE),
    # password=…, "refresh_token": "…", api-key: …
    (
        re.compile(
            r"(?P<kept>[\w-]*(?:password|passwd|secret|token|api[_-]?key|master[_-]?key|cookie|recovery[_-]?code)[\w-]*"
            r"[\"']?\s*[=:]\s*[\"']?)(?!\[redacted\])[^\s\"',;&}]+",
            re.IGNORECASE,
        ),
        r"\g<kept>" + _GONE,
    ),
)


def redacted(text: str) -> str:
    """The text without what looks like a password, a token, a key, or the credentials of a URL."""
    for pattern, instead in _PATTERNS:
        text = pattern.sub(instead, text)
    return text
