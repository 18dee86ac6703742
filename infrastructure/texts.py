"""Texts that stores can hold. A search for any other text can only find nothing."""

from collections.abc import Iterable


def are_storable(texts: Iterable[str | None]) -> bool:
    """Whether every store could hold the texts: none has a NUL or a lone surrogate."""
    return not any("\0" in each or any("\ud800" <= sign <= "\udfff" for sign in each) for each in texts if each)
