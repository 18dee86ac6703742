"""For each alert, what makes it fire and what doesn't: the last value that is well, and the first that isn't."""

from collections.abc import Mapping
from dataclasses import dataclass

Values = float | int | str
"""A number stays the same from the beginning to the end. A text is promtool's notation, with N for the end."""

Input = Mapping[str, Values]
"""Series with their values. `job` and `instance`, which Prometheus gives to all that it scrapes, are added."""


@dataclass(frozen=True)
class Case:
    """What to put in, and when to look; `every` is how often is scraped, and also evaluated unless told: no less often
    than in five minutes, for so long a value is remembered."""

    fires: Input
    quiet: tuple[Input, ...]
    after: str = "3m"
    every: str = "15s"
    evaluated: str = ""
