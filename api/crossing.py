"""Which pages of other origins may read what this API answers (CORS): those of an allow-list, and no others."""

from collections.abc import Sequence

from litestar.config.cors import CORSConfig

from api.headers import IDEMPOTENCY_KEY, MIN_POSITION, OF_FILES, POSITION, REQUEST_ID, STALE

_SENT = ("Authorization", "Content-Type", "If-Match", IDEMPOTENCY_KEY, MIN_POSITION, REQUEST_ID)
_TOLD = (
    *("ETag", "Link", "Location", "Retry-After", "RateLimit", "RateLimit-Policy"),
    *(POSITION, STALE, REQUEST_ID, *OF_FILES),
)


def cross_origin(origins: Sequence[str]) -> CORSConfig | None:
    """What Litestar needs; None allows nobody. Cookies are for our own page, so no origin may send them."""
    if not origins:
        return None
    return CORSConfig(
        allow_origins=list(origins),
        allow_methods=["GET", "POST", "PATCH", "DELETE"],
        allow_headers=list(_SENT),
        expose_headers=list(_TOLD),
        allow_credentials=False,
        max_age=600,
    )
