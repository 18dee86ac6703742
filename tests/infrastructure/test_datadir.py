"""The data directory: one holder, secrets that last, settings that others can read."""

import subprocess

import pytest

from infrastructure.datadir import DataDirectory, NoSettings, SecretsLost
from infrastructure.embedded.directory import DirectoryInUse


@pytest.fixture
def place(tmp_path) -> DataDirectory:
    place = DataDirectory(tmp_path / "data")
    place.acquire()
    return place


def test_one_at_a_time_holds_a_directory(place):
    with pytest.raises(DirectoryInUse, match="running already"):
        DataDirectory(place.path).acquire()

    place.release()
    DataDirectory(place.path).acquire()


def test_secrets_are_made_once_and_kept_from_others(place):
    made = place.secrets()

    assert len(made["JWT_SECRET"]) >= 32
    assert DataDirectory(place.path).secrets() == made
    assert place.settings_file.stat().st_mode & 0o777 == 0o600


def test_a_database_without_its_master_key_is_not_given_another_one(place):
    place.postgres.mkdir()
    (place.postgres / "PG_VERSION").write_text("18")

    with pytest.raises(SecretsLost, match="Restore that file"):
        place.secrets()


def test_a_directory_without_settings_says_how_to_get_some(tmp_path):
    with pytest.raises(NoSettings, match="clientforge up --data-dir"):
        DataDirectory(tmp_path).settings()


@pytest.mark.parametrize("value", ["plain", "postgresql://u:p%40@h:1/d?a=b&c=d", "it's $HOME `x`", "#no comment", ""])
def test_what_is_written_is_read_back(place, value):
    place.write_settings({"NAME": value})
    assert place.settings() == {"NAME": value}


@pytest.mark.parametrize("value", ["plain", "postgresql://u:p%40@h:1/d?a=b&c=d", "a b $HOME `x` #", ""])
def test_a_shell_reads_the_same(place, value):
    place.write_settings({"NAME": value})
    script = f'. {place.settings_file}; printf %s "$NAME"'
    assert subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout == value
