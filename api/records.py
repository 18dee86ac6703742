"""What every kind of record has over HTTP: create, list, get, edit, archive, restore, and what happened to it."""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from api.commands import change, creation
from api.headers import etag
from api.operations import Call, Operation, Reply
from api.pages import WhichPage, next_page, page_request, with_page
from domain.kernel import Command, NotFound, Refused
from projections.directories import Directory, Record
from projections.history import Version, history
from projections.pages import InvalidCursor, InvalidSort, Page
from projections.timeline import Happening, timeline


class Records(Struct, frozen=True, kw_only=True):
    """A kind of record at `/{path}`. `example` is a body that creates one, `edit_example` one that edits it.

    `refuses` is what a creation or an edit may be refused for beside what any may.
    `past` is the action that must be permitted to see what happened to one. `reads` are the projections that the
    directory's queries depend on, if those are more than itself.
    """

    path: str
    entity: str
    directory: Directory[Any, Any]
    row: type[Record]
    create: type[Command]
    edit: type[Command]
    archive: type[Command]
    restore: type[Command]
    example: Mapping[str, Any]
    edit_example: Mapping[str, Any]
    refuses: Sequence[type[Refused]] = ()
    archive_refuses: Sequence[type[Refused]] = ()
    restore_refuses: Sequence[type[Refused]] = ()
    past: str = "read"
    reads: Sequence[str] = ()

    def operations(self) -> list[Operation]:
        """All operations, the verbs of its own aside."""
        return [
            creation(self.path, self.entity, self.create, example=self.example, refuses=self.refuses),
            self._list(),
            self._get(),
            change(
                "PATCH",
                self.path,
                self.entity,
                self.edit,
                name="edit",
                example=self.edit_example,
                refuses=self.refuses,
            ),
            change("DELETE", self.path, self.entity, self.archive, name="archive", refuses=self.archive_refuses),
            self.verb("restore", self.restore, refuses=self.restore_refuses),
            self._timeline(),
            self._history(),
        ]

    def verb(
        self, name: str, command: type[Command], *, example: Any = None, refuses: Sequence[type[Refused]] = ()
    ) -> Operation:
        """`POST /{path}/{id}/{name}`: a command that is more than an edit."""
        return change("POST", self.path, self.entity, command, verb=name, example=example, refuses=refuses)

    def _get(self) -> Operation:
        def run(call: Call[None, Any]) -> Reply:
            row: Record = self.directory.get(call.services.database, call.viewer, call.received.record)
            return Reply(body=row, headers={"ETag": etag(row.version)})

        return self._reading(
            "",
            f"get-{self.entity}",
            f"One {self.entity}, archived or not.",
            run=run,
            answer=self.row,
            waits=self.reads or (self.directory.name,),
            refuses=(NotFound,),
        )

    def _list(self) -> Operation:
        filters = self.directory.filters

        def run(call: Call[None, Any]) -> Reply:
            wanted = filters(**{name: getattr(call.query, name) for name in filters.__struct_fields__})
            page = self.directory.page(call.services.database, call.viewer, wanted, page_request(call))
            return next_page(call, page)

        return Operation(
            method="GET",
            path=f"/{self.path}",
            name=f"list-{self.path}",
            summary=f"A page of {self.path}. The value `any` lifts a filter that is set unless told otherwise.",
            tag=self.path,
            run=run,
            answer=Page[self.row],  # type: ignore[name-defined]
            query=with_page(filters.__name__, filters),
            permission=f"{self.entity}:read",
            waits=self.reads or (self.directory.name,),
            refuses=(InvalidCursor, InvalidSort),
        )

    def _timeline(self) -> Operation:
        def run(call: Call[None, Any]) -> Reply:
            asked, services = page_request(call), call.services
            page = timeline(services.database, call.viewer, self.entity, call.received.record, asked)
            return next_page(call, page)

        return self._reading(
            "/timeline",
            f"timeline-of-{self.entity}",
            f"What happened to this {self.entity} and around it, newest first.",
            run=run,
            answer=Page[Happening],
            query=WhichPage,
            waits=("timeline", "accounts", "contacts", "deals", "files"),
            action=self.past,
            refuses=(NotFound, InvalidCursor, InvalidSort),
        )

    def _history(self) -> Operation:
        def run(call: Call[None, Any]) -> Reply:
            asked = page_request(call)
            page = history(call.services.store, call.viewer, self.entity, call.received.record, asked)
            return next_page(call, page)

        return self._reading(
            "/history",
            f"history-of-{self.entity}",
            f"The versions of this {self.entity}, oldest first: who made each, when, and which fields became what.",
            run=run,
            answer=Page[Version],
            query=WhichPage,
            long=True,
            refuses=(NotFound, InvalidCursor, InvalidSort),
            action=self.past,
        )

    def _reading(self, below: str, name: str, summary: str, *, action: str = "read", **others: Any) -> Operation:
        return Operation(
            method="GET",
            path=f"/{self.path}/{{id:uuid}}{below}",
            name=name,
            summary=summary,
            tag=self.path,
            permission=f"{self.entity}:{action}",
            **others,
        )
