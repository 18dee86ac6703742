"""What a benchmark prints: raw figures, and gates that hold or don't."""

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Figure:
    """A measured value with its unit."""

    name: str
    value: float
    unit: str

    def __str__(self) -> str:
        return f"       {self.name:<66} {self.value:>12,.2f} {self.unit}"


@dataclass(frozen=True)
class Gate:
    """A value that must lie on the right side of its bound."""

    name: str
    value: float
    at_least: float | None = None
    at_most: float | None = None
    unit: str = ""

    @property
    def holds(self) -> bool:
        """Whether it does."""
        return (self.at_least is None or self.value >= self.at_least) and (
            self.at_most is None or self.value <= self.at_most
        )

    def __str__(self) -> str:
        bound = f">= {self.at_least:g}" if self.at_least is not None else f"<= {self.at_most:g}"
        return f"{'ok    ' if self.holds else 'FAILED'} {self.name:<66} {self.value:>12,.2f} {self.unit} ({bound})"


@dataclass(frozen=True)
class Result:
    """What one part of the benchmark found."""

    figures: Sequence[Figure] = field(default_factory=list)
    gates: Sequence[Gate] = field(default_factory=list)
