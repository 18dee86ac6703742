"""Loads the fixtures of the whole test suite."""

from importlib.util import find_spec

pytest_plugins = ["tests.services.fixtures"]
if find_spec("tests.fixtures") is not None:
    pytest_plugins.append("tests.fixtures")
