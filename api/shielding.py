"""Headers that keep a browser from being turned against this API: on every answer, whatever it is."""

from collections.abc import Iterable

Header = tuple[bytes, bytes]

JSON_POLICY = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
"""The Content-Security-Policy of what is no page: nothing may be loaded, run, sent or framed."""

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""That of the API's own page: its script and its style come from here, and none stands in it."""

_SHIELD: tuple[Header, ...] = (
    (b"content-security-policy", JSON_POLICY.encode()),
    # Browsers heed it over HTTPS alone.
    (b"strict-transport-security", b"max-age=31536000; includeSubDomains"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"x-permitted-cross-domain-policies", b"none"),
    # Instead of what serves it.
    (b"server", b"clientforge"),
    # Answers hold people's data, and a shared cache has no idea of tenants.
    (b"cache-control", b"no-store"),
)


def shielded(headers: Iterable[Header]) -> list[Header]:
    """The headers of an answer with all of the shield that it doesn't set itself."""
    own = list(headers)
    names = {name.lower() for name, _ in own}
    return [*own, *(each for each in _SHIELD if each[0] not in names)]
