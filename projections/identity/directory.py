"""Users, to get and to list. Names in analytics come from here."""

from uuid import UUID

from msgspec import Struct

from domain.identity.state import User
from domain.permissions import Role
from projections.changes import Story
from projections.directories import Column, Directory, Record, personal_fields, row_of, sort_key


class UserRow(Record, frozen=True, kw_only=True):
    """A user as they are read; of an `erased` one, who they were is gone. `archived` says that they aren't `active`,
    `verified` that they have shown to receive what is mailed to `email`."""

    name: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    email: str | None = None
    phone: str | None = None
    time_zone: str | None = None
    language: str | None = None
    erased: bool = False
    role: Role
    manager: UUID | None = None
    office: str | None = None
    external_id: str | None = None
    active: bool = True
    verified: bool = False


class UserFilter(Struct, frozen=True, kw_only=True):
    """Which users to list; None matches all."""

    role: Role | None = None
    manager: UUID | None = None
    office: str | None = None
    active: bool | None = True


def user_row(story: Story) -> UserRow:
    """A user's row."""
    user: User = story.state
    fields = personal_fields(user.personal)
    if not fields.get("erased"):
        fields["name"] = f"{fields['first_name']} {fields['last_name']}"
    return row_of(story, UserRow, **fields)


USERS = Directory(
    name="users",
    entity="user",
    row=UserRow,
    filters=UserFilter,
    fold=user_row,
    columns={
        "name": Column("text"),
        "name_key": Column("text", lambda row: sort_key(row.name)),
        "role": Column("text"),
        "manager": Column("uuid"),
        "office": Column("text"),
    },
    conditions={
        "role": "role = %(role)s",
        "manager": "manager = %(manager)s",
        "office": "office = %(office)s",
        "active": "archived <> %(active)s",
    },
    sorts={"name": "name_key", "created_at": "created_at", "updated_at": "updated_at"},
    order="name",
)
