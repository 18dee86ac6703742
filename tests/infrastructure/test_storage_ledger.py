"""How much a tenant has stored is exact, however many add to it at once."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from uuid_utils.compat import uuid7

from application.ports import StorageFull
from infrastructure.storage_ledger import PostgresLedger


@pytest.fixture
def ledger(database):
    return PostgresLedger(database)


def used(database, tenant):
    [row] = database.read(tenant, "SELECT bytes FROM storage_use WHERE tenant_id = %(tenant)s")
    return row["bytes"]


def test_of_many_at_once_as_many_are_counted_as_fit(ledger, database, tenant):
    record = uuid7()

    def reserves(_):
        try:
            ledger.reserve(tenant, file := uuid7(), "account", record, 10, 75)
        except StorageFull:
            return None
        return file

    with ThreadPoolExecutor(8) as threads:
        counted = {file for file in threads.map(reserves, range(24)) if file is not None}
    assert len(counted) == 7
    assert used(database, tenant) == 70
    assert set(ledger.files_of(tenant, "account", record)) == counted

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda file: ledger.release(tenant, file), [*counted, *counted, uuid7()]))
    assert used(database, tenant) == 0
    assert ledger.files_of(tenant, "account", record) == []


def test_room_is_told_before_anything_is_counted(ledger, tenant):
    ledger.check_room(tenant, 10, 10)
    ledger.check_room(tenant, 10**15, None)
    for size, limit in ((11, 10), (0, 0)):
        with pytest.raises(StorageFull) as refused:
            ledger.check_room(tenant, size, limit)
        assert refused.value.details == {"used": 0, "limit": limit}


def test_a_tenants_files_are_its_own(ledger, tenant):
    other, record, file = uuid7(), uuid7(), uuid7()
    ledger.reserve(tenant, file, "account", record, 10, None)
    ledger.release(other, file)
    assert ledger.files_of(other, "account", record) == []
    assert ledger.files_of(tenant, "account", record) == [file]
