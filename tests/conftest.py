"""Loads the fixtures of the whole test suite."""

from importlib.util import find_spec

from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.services.fixtures"]
if find_spec("tests.fixtures") is not None:
    pytest_plugins.append("tests.fixtures")

# How long examples take says how busy the machine is, and fails no test. All else is Hypothesis' own, here and in CI.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")
