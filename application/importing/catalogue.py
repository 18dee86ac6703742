"""THE list of kinds of records that can be imported, by the names that the command line uses."""

from collections.abc import Mapping

from application.importing.accounts import ACCOUNTS
from application.importing.contacts import CONTACTS
from application.importing.deals import DEALS
from application.importing.kinds import Kind
from application.importing.products import PRODUCTS
from application.importing.users import USERS

KINDS: Mapping[str, Kind] = {kind.name: kind for kind in (ACCOUNTS, CONTACTS, PRODUCTS, USERS, DEALS)}


def kind_of(entity: str) -> Kind:
    """The importable kind of an entity."""
    return next(kind for kind in KINDS.values() if kind.entity == entity)
