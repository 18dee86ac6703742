"""An event that a projection can't apply, though nothing is wrong with it."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg


@contextmanager
def no_deal_named(name: str, superuser_url: str) -> Iterator[None]:
    """The list of deals can't take one of this name."""
    refusing = f"ADD CONSTRAINT no_such_name CHECK (document ->> 'name' <> '{name}') NOT VALID"
    with psycopg.connect(superuser_url, autocommit=True) as connection:
        connection.execute(f"ALTER TABLE deals {refusing}")
        try:
            yield
        finally:
            connection.execute("ALTER TABLE deals DROP CONSTRAINT no_such_name")
