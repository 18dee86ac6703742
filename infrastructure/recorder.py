"""One tenant's log through the eventsourcing library's persistence protocol."""

import time
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec
import psycopg
from eventsourcing.persistence import ApplicationRecorder, IntegrityError, Notification, StoredEvent, Subscription

from application.recording import Metadata
from infrastructure.appending import AppendCall
from infrastructure.postgres import Database


class TenantRecorder(ApplicationRecorder):
    """The library's persistence protocol over one tenant's log: the position is the notification id."""

    _METADATA = msgspec.json.encode(Metadata(actor="library", correlation=UUID(int=0)))

    def __init__(self, database: Database, tenant: UUID) -> None:
        self._database = database
        self._tenant = tenant

    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> Sequence[int] | None:
        """Appends the events; their positions. Raises IntegrityError where a stream has such a version."""
        if not stored_events:
            return []
        call = AppendCall(self._tenant, self._METADATA)
        for event in stored_events:
            call.event(str(event.originator_id), event.originator_version, event.topic, event.state)
        try:
            row = self._database.run(call.run)
        except psycopg.Error as error:
            if error.sqlstate == "CF001":
                raise IntegrityError(str(error)) from error
            raise
        last = row["last_position"]
        return list(range(last - len(stored_events) + 1, last + 1))

    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[StoredEvent]:
        """A stream's events."""
        rows = self._database.read(
            self._tenant,
            "SELECT stream, version, type, payload FROM events WHERE tenant_id = %(tenant)s AND stream = %(stream)s"  # noqa: S608
            " AND (%(gt)s::integer IS NULL OR version > %(gt)s) AND (%(lte)s::integer IS NULL OR version <= %(lte)s)"
            f" ORDER BY version {'DESC' if desc else 'ASC'} LIMIT %(limit)s",
            {"stream": str(originator_id), "gt": gt, "lte": lte, "limit": limit},
        )
        return [
            StoredEvent(
                originator_id=row["stream"],
                originator_version=row["version"],
                topic=row["type"],
                state=row["payload"],
            )
            for row in rows
        ]

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[Notification]:
        """The log from `start`, in order."""
        rows = self._database.read(
            self._tenant,
            "SELECT stream, version, type, payload, position FROM events WHERE tenant_id = %(tenant)s"
            " AND position >= %(start)s AND (%(stop)s::bigint IS NULL OR position <= %(stop)s)"
            " AND (cardinality(%(topics)s::text[]) = 0 OR type = ANY(%(topics)s::text[]))"
            " ORDER BY position LIMIT %(limit)s",
            {
                "start": 0 if start is None else start + (not inclusive_of_start),
                "stop": stop,
                "topics": list(topics),
                "limit": limit,
            },
        )
        return [
            Notification(
                originator_id=row["stream"],
                originator_version=row["version"],
                topic=row["type"],
                state=row["payload"],
                id=row["position"],
            )
            for row in rows
        ]

    def max_notification_id(self) -> int | None:
        """The position of the last event, None without any."""
        rows = self._database.read(
            self._tenant, "SELECT position FROM tenant_heads WHERE tenant_id = %(tenant)s AND position > 0"
        )
        return rows[0]["position"] if rows else None

    def subscribe(self, gt: int | None = None, topics: Sequence[str] = ()) -> Subscription[ApplicationRecorder]:
        """The log behind `gt`, and then each new event."""
        return PollingSubscription(self, gt, topics)


class PollingSubscription(Subscription[ApplicationRecorder]):
    """Follows a log by asking for what comes behind the last position; between answers it waits 5 to 50 ms."""

    def __init__(self, recorder: ApplicationRecorder, gt: int | None, topics: Sequence[str]) -> None:
        super().__init__(recorder, gt, topics)
        self._pending: list[Notification] = []

    def __next__(self) -> Notification:
        pause = 0.005
        while not self._has_been_stopped:
            if self._pending:
                notification = self._pending.pop(0)
                self._last_notification_id = notification.id
                return notification
            self._pending = list(
                self._recorder.select_notifications(
                    self._last_notification_id, limit=500, topics=self._topics, inclusive_of_start=False
                )
            )
            if not self._pending:
                time.sleep(pause)
                pause = min(2 * pause, 0.05)
        raise StopIteration
