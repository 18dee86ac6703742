"""Whether a request is let in: its token, and the rate limits of who sends it, before anything is done for it."""

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Any

from litestar import Request

from api.browsing import claims_of
from api.client_address import network_of
from api.operations import Operation, Received
from api.refusals import TooManyRequests
from api.services import Services
from domain.kernel import NotFound, Refused
from domain.tenants.events import Plan
from infrastructure.rate_limits import Partition, Standing
from infrastructure.sessions import Principal
from infrastructure.tokens import Claims


class Admission:
    """One request at the door. What it may still ask for is left in the scope's state, for the answer's headers."""

    def __init__(self, services: Services, operation: Operation, request: Request[Any, Any, Any]) -> None:
        self._services = services
        self._operation = operation
        self._request = request
        self._state: dict[str, Any] = request.scope["state"]
        peer = request.scope["client"]
        self.address = services.addresses.of(
            peer[0] if peer else None, request.headers.getall("x-forwarded-for", default=[])
        )

    async def by_sender(self) -> tuple[Claims | None, int]:
        """What the token says, and the position of the log that the sender's reads must have passed.

        Raises TooManyRequests, NotAuthenticated, InvalidToken, ExpiredToken, RevokedToken or CsrfTokenMissing. Whoever
        has no good token counts by their address alone, without a plan.
        """
        claims, bad_token = self._read_token()
        position = await self._in_thread(partial(self._counted, claims))
        if bad_token is not None:
            raise bad_token
        return claims, position

    async def by_content(self, received: Received) -> None:
        """Counts the request for what is in it, too, where its operation says so. Raises TooManyRequests."""
        if self._operation.counted_as is not None:
            await self._in_thread(partial(self._counted_as, received))

    def by_key(self, bearer: Principal) -> None:
        """Counts an API key's request against the key's own limit, where it has one. Raises TooManyRequests.

        It may block, and comes when the key is known to be one: nobody uses up the limit of a key that they don't have.
        """
        if own := bearer.rate_limits.get(self._operation.limit):
            self._take([Partition(kind="key", id=f"{bearer.tenant}:{bearer.session}:own", limit=own)], None)

    def _read_token(self) -> tuple[Claims | None, Refused | None]:
        if self._operation.public:
            return None, None
        try:
            services, request = self._services, self._request
            return claims_of(request.headers, request.method, services.access_tokens, services.csrf), None
        except Refused as bad_token:
            return None, bad_token

    def _counted(self, claims: Claims | None) -> int:
        by_address = Partition(kind="address", id=network_of(self.address))
        if claims is None:
            self._take((by_address,), None)
            return 0
        if self._services.api_keys.is_proven(claims):
            self._take((_bearer(claims), by_address), self._plan(claims))
        else:
            # What a key says is true once its hash agrees: before, nobody but its address pays for it. That comes once
            # for each key in a process, and each time for those that are none.
            self._take((by_address,), None)
            self._services.api_keys.prove(claims)
            self._take((_bearer(claims),), self._plan(claims))
        if not self._operation.waits:
            return 0
        concerns = self._operation.concerns and self._operation.concerns(self._request)
        return self._services.freshness.required(claims.tenant, claims.user, concerns)

    def _counted_as(self, received: Received) -> None:
        if self._operation.counted_as is not None:
            self._take(self._operation.counted_as(self._services, received), None)

    def _take(self, counted: Sequence[Partition], plan: Plan | None) -> None:
        if not counted:
            return
        standing = self._services.rate_limits.take(self._operation.limit, counted, plan)
        known: Standing | None = self._state.get("standing")
        if known is None or not standing.passed or standing.remaining < known.remaining:
            self._state["standing"] = standing
        if not standing.passed:
            self._services.telemetry.requests_refused.labels(standing.name).inc()
            raise _refusal(standing)

    def _plan(self, claims: Claims | None) -> Plan | None:
        """The tenant's plan, where plans make a difference."""
        if claims is None or not self._services.settings.rate_limit_plans:
            return None
        try:
            return self._services.profiles.of(claims.tenant).plan
        except NotFound:
            return None

    async def _in_thread(self, work: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._services.admission_threads, work)


def _bearer(claims: Claims) -> Partition:
    """As whose a request counts beside its address: its user's. An API key counts as itself instead."""
    if claims.key_hash is not None:
        return Partition(kind="key", id=f"{claims.tenant}:{claims.session}")
    return Partition(kind="user", id=f"{claims.tenant}:{claims.user}")


_WHOSE = {
    "user": "this user",
    "key": "this API key",
    "address": "this client address",
    "account": "this e-mail address",
}


def _refusal(standing: Standing) -> TooManyRequests:
    return TooManyRequests(
        f"No more than {standing.quota} requests in {standing.seconds} seconds are answered for "
        f"{_WHOSE[standing.kind]}. Try again in {standing.retry_after} seconds.",
        limit=standing.name,
        quota=standing.quota,
        window=standing.seconds,
        counted_by=standing.kind,
        retry_after=standing.retry_after,
    )
