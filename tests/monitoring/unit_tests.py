"""The cases of alerts as promtool's unit tests."""

import re
from collections.abc import Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import promql_parser
import yaml

from tests.monitoring.alerts import Case, Input, Values, projecting, requests, stores, surroundings
from tests.monitoring.files import ALERTS, RECORDED
from tests.monitoring.promql import selectors

CASES: Mapping[str, Case] = {**requests.CASES, **projecting.CASES, **stores.CASES, **surroundings.CASES}
_JOBS = {"clientforge": "api", "pg": "postgres"}
_SERIES = re.compile(r"(\w+?)(_\w+|)(?:\{(.*)\})?")


def write_unit_tests(directory: Path) -> list[Path]:
    """Writes a file for each pace of evaluation and the rules that are needed, so that even days pass quickly."""
    tests: dict[tuple[str, frozenset[Path]], list[dict[str, Any]]] = {}
    for name, case in (*CASES.items(), *projecting.NEVER.items()):
        tests.setdefault((case.evaluated or case.every, _needed(name)), []).extend(_tests(name, case))
    written = []
    for number, ((pace, rules), those) in enumerate(tests.items()):
        content = {"rule_files": sorted(map(str, rules)), "evaluation_interval": pace, "tests": those}
        written.append(directory / f"{number}.yml")
        written[-1].write_text(yaml.safe_dump(content))
    return written


def _needed(alert: str) -> frozenset[Path]:
    """The file of an alert, and the one with what is recorded where it asks for that."""
    [rule] = [each for each in ALERTS if each.name == alert]
    recorded = {each.file for each in RECORDED if each.name in {asked.metric for asked in selectors(rule.expr)}}
    return frozenset({rule.file, *recorded})


def _tests(name: str, case: Case) -> Iterable[dict[str, Any]]:
    yield _test(name, case, case.fires, fires=True)
    for quiet in case.quiet:
        yield _test(name, case, quiet, fires=False)


def _test(name: str, case: Case, given: Input, *, fires: bool) -> dict[str, Any]:
    looks = _seconds(case.after) // _seconds(case.every) + 1
    expr = f'count(ALERTS{{alertname="{name}", alertstate="firing"}}) > bool 0'
    return {
        "name": f"{name} {'fires' if fires else 'is quiet'}: {given}",
        "interval": case.every,
        "input_series": [
            {"series": _with_target(series), "values": _noted(values, looks)} for series, values in given.items()
        ],
        "promql_expr_test": [
            {
                "expr": expr,
                "eval_time": case.after,
                "exp_samples": [{"labels": "{}", "value": 1}] if fires else [],
            }
        ],
    }


def _with_target(series: str) -> str:
    """The series with what Prometheus adds to all that it scrapes."""
    found = _SERIES.fullmatch(series)
    assert found is not None, series
    subject, rest, labels = found[1], found[2], found[3] or ""
    added = {"job": _JOBS.get(subject, subject), "instance": "machine:1"}
    own = [f'{name}="{value}"' for name, value in added.items() if f"{name}=" not in labels]
    return f"{subject}{rest}{{{','.join([*own, *filter(None, [labels])])}}}"


def _noted(values: Values, looks: int) -> str:
    return re.sub(r"N\b", str(looks), values if isinstance(values, str) else f"{values}xN")


def _seconds(duration: str) -> int:
    return promql_parser.parse_duration(duration) // timedelta(seconds=1)
