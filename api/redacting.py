"""Takes secrets out of what is logged: whoever reads logs shall not become whoever they tell of.

Nothing here logs a secret on purpose. This is for messages that quote what they failed on: a URL, a header, a token.
"""

import re

_GONE = "[redacted]"
_NAMED = r"(?:%s)[\w-]{0,40}\\?[\"']?\s{0,9}[=:]\s{0,9}"
"""Bounded, as all of these: a line that is made for it shall not keep a log busy."""
_PHRASES = r"password|passwd|passphrase|secret"
_ANY = rf"{_PHRASES}|token|api[_-]?key|master[_-]?key|cookie|recovery[_-]?code"

_PATTERNS = (
    # "old_password": "correct horse", {'token': b'…'}, \"secret\": \"…\": up to the closing quote, or the line's end
    rf"(?P<kept>{_NAMED % _ANY}[br]?(?P<quote>\\?[\"']))(?:(?!(?P=quote))(?:\\.|.))*",
    # "recovery_codes": ["…", "…"]
    rf"(?P<kept>{_NAMED % _ANY})(?!\[redacted\])[\[(][^\])]*[\])]?",
    # Cookie: a=…; b=…
    rf"(?P<kept>{_NAMED % 'cookie'})(?!\[redacted\])[^\s\"'][^\r\n\"']*",
    # password=correct horse, next: without quotes it ends where something else begins
    rf"(?P<kept>{_NAMED % _PHRASES})(?!\[redacted\])[^\s\"',;&}}\]][^\r\n\"',;&}}]*",
    # refresh_token=…, api-key: …
    rf"(?P<kept>{_NAMED % _ANY})(?!\[redacted\])[^\s\"',;&}}]+",
    # scheme://user:password@host, in which somebody forgot to encode / or @
    r"(?P<kept>\b[a-z][a-z0-9+.-]{0,30}://[^\s:/@]{0,200}:)[^\s\"'<>]{1,500}(?=@)",
    # Authorization: Bearer … and Basic …
    r"(?P<kept>\b(?:bearer|basic)\s+)[A-Za-z0-9._~+/=-]{8,}",
    # a JSON Web Token anywhere
    r"(?P<kept>)\beyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*)?",
    # an API key, or the token of a link in a mail, anywhere
    r"(?P<kept>)\bcf[kl]_[A-Za-z0-9_-]{20,}",
    # a refresh token anywhere: longer than ids and hashes
    r"(?P<kept>)(?<![\w-])A[\w-]{83,}={0,2}(?![\w-])",
    # 32 bytes in base64 anywhere, as a master key is
    r"(?P<kept>)(?<![\w+/])[A-Za-z0-9+/]{43}=(?![\w+/=])",
)
_COMPILED = tuple(re.compile(each, re.IGNORECASE) for each in _PATTERNS)


def redacted(text: str) -> str:
    """The text without what looks like a password, a token, a key, or the credentials of a URL."""
    for pattern in _COMPILED:
        text = pattern.sub(rf"\g<kept>{_GONE}", text)
    return text
