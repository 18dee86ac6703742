"""Which system a command works on, and what it says when there is none."""

import pytest

from tests.commandline.conftest import Run, done, refused

SETTINGS = ("DATABASE_URL", "DATABASE_OWNER_URL", "DATABASE_MONITOR_URL", "REDIS_URL", "JWT_SECRET", "MASTER_KEY")


@pytest.fixture
def nothing() -> dict[str, None]:
    """No settings at all."""
    return dict.fromkeys(SETTINGS)


def env_file(environment) -> str:
    return "".join(f"{name}='{environment[name]}'\n" for name in (*SETTINGS, "REDIS_PREFIX"))


def test_without_any_settings_it_says_what_is_missing_and_where_to_put_it(run: Run, nothing):
    told = refused(run("tenant", "list", **nothing), 2)

    assert "DATABASE_URL" in told
    assert "--data-dir" in told


def test_an_env_file_in_the_working_directory_is_read(run: Run, environment, nothing, tmp_path):
    (tmp_path / ".env").write_text(env_file(environment))
    assert done(run("tenant", "list", **nothing)) == ""


def test_a_data_directory_counts_before_and_behind_the_command_and_by_its_variable(
    run: Run, environment, nothing, tmp_path
):
    place = tmp_path / "data"
    place.mkdir()
    (place / "clientforge.env").write_text(env_file(environment))

    done(run("--data-dir", str(place), "tenant", "list", **nothing))
    done(run("tenant", "list", "--data-dir", str(place), **nothing))
    done(run("tenant", "list", CLIENTFORGE_DATA_DIR=str(place), **nothing))


def test_a_data_directory_holds_over_the_environment_and_an_env_file(run: Run, environment, tmp_path):
    place = tmp_path / "data"
    place.mkdir()
    (place / "clientforge.env").write_text(env_file(environment))

    elsewhere = "postgresql://nobody:nothing@127.0.0.1:1/nowhere"
    (tmp_path / ".env").write_text("ELASTICSEARCH_URL=no URL at all\n")
    done(run("tenant", "list", "--data-dir", str(place), DATABASE_URL=elsewhere))


def test_the_system_in_the_default_directory_is_found_where_nothing_else_is_named(
    run: Run, environment, nothing, tmp_path
):
    (tmp_path / ".clientforge").mkdir()
    (tmp_path / ".clientforge" / "clientforge.env").write_text(env_file(environment))
    done(run("tenant", "list", **nothing))


def test_a_directory_without_a_system_is_wrong_usage(run: Run, tmp_path):
    assert "clientforge up --data-dir" in refused(run("tenant", "list", "--data-dir", str(tmp_path)), 2)


def test_a_database_that_is_away_is_said_in_a_sentence(run: Run):
    away = "postgresql://clientforge_app:x@127.0.0.1:1/nowhere"

    (told,) = refused(run("tenant", "list", DATABASE_URL=away), 1).splitlines()
    assert "can't be reached" in told


def test_a_role_that_row_level_security_does_not_bind_is_refused(run: Run, fresh_urls):
    assert "row-level security" in refused(run("tenant", "list", DATABASE_URL=fresh_urls.superuser), 1)


def test_another_master_key_is_said_to_be_another_one(run: Run):
    done(run("tenant", "create", "Acme", "--subdomain", "acme"))
    other = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
    assert "MASTER_KEY" in refused(run("seed", "admin", "--tenant", "acme", MASTER_KEY=other), 1)
