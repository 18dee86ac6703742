"""What an expression of Prometheus' language asks for."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

import promql_parser
from promql_parser import AggModifierType, AggregateExpr, BinaryExpr, MatchOp, NumberLiteral, VectorSelector

Labels = Mapping[str, str]
_COMPARISONS = {">", ">=", "<", "<="}
_VARIABLE = re.compile(r"\$__(?:rate_)?interval|\$__range")


@dataclass(frozen=True)
class Selector:
    """A metric that is asked for; `matchers` are labels with how they are compared (=, !=, =~, !~), and to what."""

    metric: str
    matchers: tuple[tuple[str, str, str], ...]

    def finds(self, labels: Labels) -> bool:
        """Whether a series with these labels is asked for."""
        return all(_matches(labels.get(name, ""), how, value) for name, how, value in self.matchers)


@cache
def selectors(expression: str) -> frozenset[Selector]:
    """Every metric that an expression names. Raises ValueError for what is no expression."""
    return frozenset(_selector(node) for node in _nodes(expression) if isinstance(node, VectorSelector))


@cache
def grouped_by(expression: str) -> frozenset[tuple[str, frozenset[str]]]:
    """Each label that an aggregation keeps, with the metrics that it aggregates."""
    return frozenset(
        (label, frozenset(each.metric for each in selectors(node.expr.prettify())))
        for node in _nodes(expression)
        if isinstance(node, AggregateExpr) and node.modifier is not None and node.modifier.type == AggModifierType.By
        for label in node.modifier.labels
    )


@cache
def compared(expression: str) -> frozenset[tuple[str, float]]:
    """Each metric that an expression compares with a number, and the number."""
    return frozenset(
        (selector.metric, node.rhs.val)
        for node in _nodes(expression)
        if isinstance(node, BinaryExpr) and str(node.op) in _COMPARISONS and isinstance(node.rhs, NumberLiteral)
        for selector in selectors(node.lhs.prettify())
    )


def without_variables(expression: str) -> str:
    """A panel's expression with durations for Grafana's variables."""
    return _VARIABLE.sub("5m", expression)


def _nodes(expression: str) -> Iterator[object]:
    found: list[object] = []
    promql_parser.walk(promql_parser.parse(without_variables(expression)), found.append)
    return iter(found)


def _selector(node: VectorSelector) -> Selector:
    """A metric may also be named by a matcher of __name__."""
    matchers = [(each.name, _sign(each.op), each.value) for each in node.matchers.matchers]
    name = node.name or next(value for label, _, value in matchers if label == "__name__")
    return Selector(name, tuple(each for each in matchers if each[0] != "__name__"))


def _sign(how: MatchOp) -> str:
    signs = ((MatchOp.Equal, "="), (MatchOp.NotEqual, "!="), (MatchOp.Re, "=~"), (MatchOp.NotRe, "!~"))
    return next(sign for each, sign in signs if each == how)


def _matches(value: str, how: str, wanted: str) -> bool:
    is_like = re.fullmatch(wanted, value) is not None if how.endswith("~") else value == wanted
    return is_like != how.startswith("!")
