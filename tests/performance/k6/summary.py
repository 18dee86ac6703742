"""What k6's summary says: a table of gates for people, a comment for a pull request, and our own goal."""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

KINDS = {"get": "kind:get", "search": "kind:search", "post": "kind:post", "log-in": "name:/api/v1/auth/login"}
GOAL = {"get": 20.0, "post": 50.0, "search": 30.0}
"""Milliseconds in which 95 of 100 requests shall be answered, at 100 requests a second on two processors."""
GOAL_RATE = 100.0
"""Requests a second that have to be reached for that: k6 drops what it can't send."""
GOAL_SECONDS = 60
"""How long that is asked for, once everybody is logged in."""


@dataclass(frozen=True)
class Threshold:
    """A gate of k6's: what it is about, what was found, and whether it holds."""

    metric: str
    rule: str
    found: str
    holds: bool


@dataclass(frozen=True)
class Summary:
    """A run of k6. `text` is the summary as k6 exported it."""

    text: str
    thresholds: Sequence[Threshold]
    metrics: dict[str, dict[str, Any]]

    @property
    def holds(self) -> bool:
        """Whether all gates do, and something was asked at all."""
        return bool(self.thresholds) and all(each.holds for each in self.thresholds)

    def table(self, title: str) -> str:
        """The figures and gates, for a terminal."""
        rows = [f"{title}: {self.metrics['http_reqs']['count']:,} requests, {self.rate:.1f} a second"]
        for kind in KINDS:
            taken = self._taken(kind)
            rows.append(
                f"       {kind:<8} median {taken['med']:7.1f} ms   p95 {taken['p(95)']:7.1f} ms   "
                f"p99 {taken['p(99)']:7.1f} ms"
            )
        rows += [
            f"{'ok    ' if each.holds else 'FAILED'} {each.metric} {each.rule}: {each.found}"
            for each in self.thresholds
        ]
        return "\n".join(rows)

    def comment(self, title: str) -> str:
        """The same in Markdown, for a pull request."""
        verdict = "passed" if self.holds else "FAILED"
        rows = "\n".join(
            f"| {'✅' if each.holds else '❌'} | `{each.metric}` | {each.rule} | {each.found} |"
            for each in self.thresholds
        )
        latencies = "\n".join(
            f"| {kind} | {taken['med']:.1f} | {taken['p(95)']:.1f} | {taken['p(99)']:.1f} |"
            for kind in KINDS
            for taken in (self._taken(kind),)
        )
        return (
            f"### Load test ({title}): {verdict}\n\n"
            f"{self.metrics['http_reqs']['count']:,} requests, {self.rate:.1f} a second\n\n"
            f"| | metric | gate | found |\n|---|---|---|---|\n{rows}\n\n"
            f"| ms | median | p95 | p99 |\n|---|---|---|---|\n{latencies}\n"
        )

    def goal(self) -> str:
        """Our own goal, met or not, and each of its parts; it decides nothing.

        Log-ins come before, in a scenario of their own, and aren't part of the rate. One that comes late breaks a gate.
        """
        rated = self.metrics.get("http_reqs{scenario:arrivals}")
        rate = rated["count"] / GOAL_SECONDS if rated else self.rate
        parts = {
            f"{kind} p95 {self._taken(kind)['p(95)']:.1f} ms (goal {most:g} ms)": self._taken(kind)["p(95)"] <= most
            for kind, most in GOAL.items()
        }
        parts[f"{rate:.1f} requests a second (goal {GOAL_RATE:g})"] = rate >= GOAL_RATE
        parts["the gates above"] = self.holds
        told = [f"{'met    ' if met else 'not met'} {part}" for part, met in parts.items()]
        return "\n".join([*told, f"Our own goal: {'met' if all(parts.values()) else 'not met'}"])

    @property
    def rate(self) -> float:
        """Requests a second."""
        return float(self.metrics["http_reqs"]["rate"])

    def _taken(self, kind: str) -> dict[str, float]:
        return self.metrics[f"http_req_duration{{{KINDS[kind]}}}"]


def load(text: str) -> Summary:
    """Reads what k6 wrote for --summary-export. Raises ValueError for anything else."""
    metrics = json.loads(text)["metrics"]
    thresholds = [
        Threshold(metric=name, rule=rule, found=_found(values, rule), holds=not crossed)
        for name, values in metrics.items()
        for rule, crossed in values.get("thresholds", {}).items()
    ]
    return Summary(text=text, thresholds=thresholds, metrics=metrics)


def _found(values: dict[str, Any], rule: str) -> str:
    """The value that a rule such as `p(95)<200` or `rate<0.01` is about."""
    name = rule.replace(">", "<").split("<")[0].strip()
    found = values.get(name, values.get("value"))
    return "nothing" if found is None else f"{found:.4g}"


def main() -> int:
    """`python -m tests.performance.k6.summary FILE [TITLE]`: prints the comment; 1 when a gate does not hold."""
    summary = load(Path(sys.argv[1]).read_text())
    print(summary.comment(sys.argv[2] if len(sys.argv) > 2 else "k6"))
    return 0 if summary.holds else 1


if __name__ == "__main__":
    sys.exit(main())
