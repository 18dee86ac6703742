"""Every alert fires when it should, and is quiet when it shouldn't: as promtool, Prometheus' own checker, says."""

import subprocess

from tests.monitoring.alerts import Case
from tests.monitoring.files import ALERTS
from tests.monitoring.unit_tests import CASES, write_unit_tests


def test_every_alert_has_a_case_in_which_it_fires_and_one_in_which_it_is_quiet():
    assert {rule.name for rule in ALERTS} == CASES.keys()
    assert [name for name, case in CASES.items() if not case.quiet] == []


def test_every_alert_fires_and_is_quiet_as_its_case_says(prometheus_programs, tmp_path):
    tested = _tested(prometheus_programs, tmp_path)
    assert tested.returncode == 0, tested.stdout + tested.stderr


def test_a_case_that_does_not_hold_is_found_out(prometheus_programs, tmp_path, monkeypatch):
    backlog = CASES["QueueBacklog"]
    for wrong in (Case(fires=backlog.quiet[0], quiet=()), Case(fires=backlog.fires, quiet=(backlog.fires,))):
        monkeypatch.setattr("tests.monitoring.unit_tests.CASES", {"QueueBacklog": wrong})
        tested = _tested(prometheus_programs, tmp_path)
        assert tested.returncode != 0
        assert "QueueBacklog" in tested.stdout + tested.stderr


def _tested(programs, place):
    files = write_unit_tests(place)
    return subprocess.run(
        [programs / "promtool", "test", "rules", *files], capture_output=True, text=True, check=False, timeout=120
    )
