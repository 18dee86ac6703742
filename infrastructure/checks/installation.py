"""The settings that the processes are started with."""

from infrastructure.findings import Finding, failure, ok, warning
from infrastructure.hardening import weaknesses
from infrastructure.settings import Settings

_ENVIRONMENT = "environment"


def environment(settings: Settings) -> list[Finding]:
    """What is set is valid; whether production would start with it."""
    todo = "change it before production, which refuses to start with it"
    weak = [warning(_ENVIRONMENT, each, todo) for each in weaknesses(settings)]
    return weak or [ok(_ENVIRONMENT, f"the settings are valid, and strong enough for production ({_mode(settings)})")]


def invalid_environment(error: Exception) -> list[Finding]:
    """What is missing or wrong in the settings, a line each."""
    return [failure(_ENVIRONMENT, line, "see .env.example") for line in str(error).splitlines()]


def _mode(settings: Settings) -> str:
    return f"ENVIRONMENT={settings.environment}"
