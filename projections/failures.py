"""What may go wrong with a projection, how long to wait then, and what may be told of it."""

import traceback
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path

from application.ports import KeyMissing
from application.recording import UnknownEventType
from projections.ports import StoreAway

LONGEST_DELAY = 60.0
_ROOT = Path(__file__).parent.parent

# SQLSTATEs, whole or by class: lost connection, serialisation failure, too few resources (a full disk), object in use,
# operator's intervention, system error, read-only during a fail-over. Not 54: an event too large for an index stays so.
_MAY_PASS = ("08", "40", "53", "55006", "55P03", "57", "58", "25006")


class Failure(StrEnum):
    """Why a projection stands still. Only POISON parks it, all others go on by themselves."""

    AWAY = "away"
    """A store can't be reached, or refuses work for now."""
    NEWER = "newer"
    """A newer release wrote an event that this one doesn't know."""
    KEY = "key"
    """A subject's key is missing, and nobody erased it."""
    POISON = "poison"
    """The projection can't apply an event."""


def failure_of(error: BaseException, is_away: Callable[[BaseException], bool]) -> Failure:
    """The kind of failure; `is_away` recognises further errors of a store that may pass."""
    if isinstance(error, UnknownEventType):
        return Failure.NEWER
    if isinstance(error, KeyMissing):
        return Failure.KEY
    return Failure.AWAY if _may_pass(error) or is_away(error) else Failure.POISON


def _may_pass(error: BaseException) -> bool:
    state = getattr(error, "sqlstate", None) or ""
    return isinstance(error, StoreAway | ConnectionError | TimeoutError) or state.startswith(_MAY_PASS)


def delay(base: float, attempts: int) -> float:
    """Seconds to wait after so many failures in a row (at least one)."""
    return min(LONGEST_DELAY, base * 2.0 ** min(attempts - 1, 30))


def told(error: BaseException) -> str:
    """An error's type and place. Its message is left out: it may quote personal data."""
    state = getattr(error, "sqlstate", None)
    name = f"{type(error).__name__} ({state})" if state else type(error).__name__
    frames = [each for each in traceback.extract_tb(error.__traceback__) if _ROOT in Path(each.filename).parents]
    own = [each for each in frames if ".venv" not in each.filename]
    if not own:
        return name
    return f"{name} at {Path(own[-1].filename).relative_to(_ROOT)}:{own[-1].lineno} in {own[-1].name}"
