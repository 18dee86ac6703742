"""The reason why a service can't be had on this machine."""


class Unavailable(Exception):
    """A service can neither be reached, nor be started here; the message says what would help."""
