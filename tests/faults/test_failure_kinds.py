"""Which errors may pass, and what is told of them."""

import psycopg
import pytest

from application.ports import KeyMissing
from application.recording import UnknownEventType
from projections.failures import Failure, failure_of, told
from projections.ports import DocumentRefused, StoreAway


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (StoreAway("gone"), Failure.AWAY),
        (ConnectionResetError(), Failure.AWAY),
        (TimeoutError(), Failure.AWAY),
        (psycopg.errors.AdminShutdown(), Failure.AWAY),
        (psycopg.errors.DiskFull(), Failure.AWAY),
        (psycopg.errors.DeadlockDetected(), Failure.AWAY),
        (psycopg.errors.ReadOnlySqlTransaction(), Failure.AWAY),
        (UnknownEventType("deal.opened.v9"), Failure.NEWER),
        (KeyMissing("x"), Failure.KEY),
        (psycopg.errors.UniqueViolation(), Failure.POISON),
        (psycopg.errors.ProgramLimitExceeded(), Failure.POISON),
        (DocumentRefused("x"), Failure.POISON),
        (KeyError("x"), Failure.POISON),
    ],
)
def test_what_may_pass_parks_nothing(error, kind):
    assert failure_of(error, lambda _: False) is kind


def test_a_store_may_know_more_errors_that_pass():
    assert failure_of(KeyError("x"), lambda error: isinstance(error, KeyError)) is Failure.AWAY


def test_of_an_error_its_type_and_place_are_told_and_not_what_it_says():
    with pytest.raises(psycopg.Error) as raised:
        raise psycopg.errors.UniqueViolation("Key (email)=(jane@example.com) already exists")
    assert told(raised.value).startswith("UniqueViolation (23505) at tests/faults/test_failure_kinds.py:")
    assert "jane" not in told(raised.value)
    assert told(ValueError("Jane")) == "ValueError"
