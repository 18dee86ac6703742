"""The eventsourcing library's own test cases, whole, against one tenant's log."""

from uuid import uuid4

import pytest
from eventsourcing.persistence import ApplicationRecorder
from eventsourcing.tests.persistence import ApplicationRecorderTestCase, NonInterleavingNotificationIDsBaseCase

from infrastructure.event_store import open_recorder


class _TextStreamIds:
    """Streams are named by text here; each test has a tenant of its own."""

    @pytest.fixture(autouse=True)
    def _dsn(self, urls) -> None:
        self.dsn = urls.app

    def new_originator_id(self) -> str:
        return f"stream-{uuid4()}"

    def create_recorder(self) -> ApplicationRecorder:
        return open_recorder(self.dsn, uuid4())


class TestApplicationRecorder(_TextStreamIds, ApplicationRecorderTestCase[ApplicationRecorder]):
    INITIAL_VERSION = 1

    def test_insert_subscribe(self) -> None:
        self.optional_test_insert_subscribe()


class TestApplicationRecorderFromVersionZero(TestApplicationRecorder):
    INITIAL_VERSION = 0


class TestNonInterleavingNotificationIds(_TextStreamIds, NonInterleavingNotificationIDsBaseCase):
    insert_num = 1000


def test_a_pool_is_shared_per_dsn(urls):
    first, second = open_recorder(urls.app, uuid4()), open_recorder(urls.app, uuid4())

    assert vars(first)["_database"] is vars(second)["_database"]


del ApplicationRecorderTestCase, NonInterleavingNotificationIDsBaseCase
