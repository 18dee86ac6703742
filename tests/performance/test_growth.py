"""What is said of a tenant's growth, without its million contacts."""

import sys

import pytest

from tests.performance import growth


@pytest.mark.parametrize(("last", "code", "verdict"), [(30.0, 0, "ok"), (30.1, 1, "FAILED")])
def test_what_grows_by_more_than_half_fails_the_run(last, code, verdict, monkeypatch, capsys):
    found = {
        10_000: {"get": (9.0, 10.0), "search": (1.0, 20.0)},
        100_000: {"get": (9.0, 90.0), "search": (1.0, 90.0)},
        1_000_000: {"get": (90.0, 9.0), "search": (1.0, last)},
    }
    monkeypatch.setattr(sys, "argv", ["growth", "10_000", "100_000", "1_000_000"])
    monkeypatch.setattr(growth, "measured", lambda sizes: {size: found[size] for size in sizes})
    assert growth.main() == code
    get, search = capsys.readouterr().out.splitlines()
    assert get.startswith("ok     get, p95 at 1,000,000 / at 10,000 contacts")
    assert search.startswith(f"{verdict} ")
