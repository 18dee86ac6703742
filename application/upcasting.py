"""Old stored events, as their current versions. An upcaster turns one stored version into the next."""

from collections.abc import Callable, Mapping

Upcaster = Callable[[bytes], tuple[str, bytes]]

UPCASTERS: Mapping[str, Upcaster] = {}


def upcast(topic: str, payload: bytes, upcasters: Mapping[str, Upcaster] = UPCASTERS) -> tuple[str, bytes]:
    """The current type name and payload of a stored event."""
    while (step := upcasters.get(topic)) is not None:
        topic, payload = step(payload)
    return topic, payload
