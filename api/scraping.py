"""Who may read the metrics: whoever knows METRICS_TOKEN, and without one everybody, but in production nobody."""

import hmac

from domain.kernel import NotFound
from infrastructure.settings import Settings
from infrastructure.tokens import InvalidToken


def check_may_scrape(settings: Settings, authorization: str | None) -> None:
    """Raises InvalidToken for another token than the one that is set, NotFound where production has set none."""
    if settings.metrics_token is None:
        if settings.environment == "production":
            raise NotFound("In production, /metrics needs METRICS_TOKEN to be set, or is read at METRICS_PORT.")
        return
    wanted = f"Bearer {settings.metrics_token.get_secret_value()}"
    if authorization is None or not hmac.compare_digest(authorization.encode(), wanted.encode()):
        raise InvalidToken("This needs the token of METRICS_TOKEN: Authorization: Bearer …")
