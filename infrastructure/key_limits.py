"""Rate limits of an API key's own, by the kind of operation. They narrow what holds anyway, and never widen it."""

from collections.abc import Mapping
from typing import Annotated

from limits import parse
from msgspec import UNSET, Meta, Struct, UnsetType, structs

from domain.kernel import Invalid
from infrastructure.settings import rate_limit

MOST_REQUESTS = 10_000
LONGEST_SECONDS = 86_400
"""What is counted within a window is kept in Redis, one by one."""

KeyLimit = Annotated[str, Meta(min_length=1, max_length=60, examples=["100 per hour"])] | None | UnsetType


class KeyRateLimits(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """How often a key may ask, such as `100 per hour`. Kinds that are left out have no limit of the key's own, and null
    lifts one."""

    general: KeyLimit = UNSET
    search: KeyLimit = UNSET
    upload: KeyLimit = UNSET
    ai: KeyLimit = UNSET

    def over(self, present: Mapping[str, str]) -> dict[str, str]:
        """The limits after a change of those that are named here. Raises Invalid."""
        named = {name: text for name, text in structs.asdict(self).items() if text is not UNSET}
        for name, text in named.items():
            if text is not None:
                _check(name, text)
        return {name: text for name, text in {**present, **named}.items() if text is not None}


def _check(name: str, text: str) -> None:
    try:
        limit = parse(rate_limit(text))
        fits = limit.amount <= MOST_REQUESTS and limit.get_expiry() <= LONGEST_SECONDS
    except (ValueError, OverflowError):
        fits = False
    if not fits:
        raise Invalid(
            f"A limit is like '100 per hour': of 1 to {MOST_REQUESTS:,} requests, within a day at most.",
            field=f"/rate_limits/{name}",
        )
