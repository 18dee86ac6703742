"""Announcements that nobody hears: for tests of the write side alone."""

from collections.abc import Collection
from uuid import UUID


class Silence:
    """application.ports.Announcements."""

    def appended(self, tenant: UUID, actor: str, position: int, entities: Collection[str]) -> None:
        """Says nothing."""
