"""What can be asked of a file."""

from typing import Any

import pytest

from application.catalogue import ENTITIES
from domain.files.commands import ArchiveFile, AttachFile, EditFile, EraseFile, FileGone, RestoreFile
from domain.files.events import FileArchived, FileAttached, FileEdited, FileErased, FilePersonal, FileRestored, Host
from domain.kernel import Archived, Erased, Invalid, NotFound
from domain.neighbours import AccountFacts
from tests.domain.specification import fold, given, id_of

ACCOUNT = id_of(1)
TOLD: Any = {"entity": Host.ACCOUNT, "record": ACCOUNT, "media_type": "text/csv", "size": 3, "sha256": "0" * 64}
ATTACHED = FileAttached(personal=FilePersonal(name="a.csv"), **TOLD)


def renamed(name):
    return FileEdited(personal=FilePersonal(name=name))


def test_an_attached_file_tells_what_it_is_and_what_it_hangs_on():
    given().when(AttachFile(name="a.csv", **TOLD)).then(ATTACHED)


@pytest.mark.parametrize(
    "name", ["../a", "a/b", "a\\b", "a\nb", "a\x00b", "..", " . ", "fdp.\u202egpj", "a\u2066b", "a\u2028b"]
)
def test_a_name_that_leads_elsewhere_or_deceives_is_refused(name):
    given().when(AttachFile(name=name, **TOLD)).then_refused(Invalid, "/name")
    given(ATTACHED).when(EditFile(name=name)).then_refused(Invalid, "/name")


def test_a_name_may_be_in_any_language():
    for name in ("Übersicht.csv", "報告書.csv", "تقرير.csv", "👩‍💻.csv", ".hidden", "a%2Fb"):
        given(ATTACHED).when(EditFile(name=name)).then(renamed(name))


def test_the_same_name_changes_nothing():
    given(ATTACHED).when(EditFile(name="a.csv")).then_nothing()
    given(ATTACHED).when(EditFile()).then_nothing()


def test_an_archived_file_takes_no_name_and_comes_back():
    given(ATTACHED).when(ArchiveFile()).then(FileArchived())
    given(ATTACHED, FileArchived()).when(ArchiveFile()).then_nothing()
    given(ATTACHED, FileArchived()).when(EditFile(name="b.csv")).then_refused(Archived)
    given(ATTACHED, FileArchived()).when(RestoreFile()).then(FileRestored())
    given(ATTACHED).when(RestoreFile()).then_nothing()


def test_a_file_of_an_archived_record_can_be_taken_away_and_nothing_else():
    archived = {ACCOUNT: AccountFacts(archived=True)}
    given(ATTACHED).when(EditFile(name="b.csv"), archived).then_refused(Archived)
    given(ATTACHED, FileArchived()).when(RestoreFile(), archived).then_refused(Archived)
    given(ATTACHED).when(ArchiveFile(), archived).then(FileArchived())
    given(ATTACHED).when(EraseFile(), archived).then(FileErased())


def test_of_an_erased_file_nothing_comes_back():
    given(ATTACHED).when(EraseFile()).then(FileErased())
    given(ATTACHED, FileErased()).when(EraseFile()).then_nothing()
    for command in (EditFile(name="b.csv"), ArchiveFile(), RestoreFile()):
        given(ATTACHED, FileErased()).when(command).then_refused(FileGone)
    state = fold(ENTITIES["file"], ATTACHED, FileErased())
    assert (state.personal, state.archived, state.erased) == (Erased(), True, True)


def test_what_never_was_attached_is_not_there():
    given().when(ArchiveFile()).then_refused(NotFound)
