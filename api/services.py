"""What the handlers of one process share."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from uuid import UUID

from api.client_address import ClientAddresses
from api.long_operations import LongOperations
from application.filing import Filing
from application.handling import Handler
from application.ports import EventStore
from application.tenancy import Tenancy, TenantProfile
from infrastructure.api_keys import ApiKeys
from infrastructure.credentials import Credentials
from infrastructure.enrolments import Enrolments
from infrastructure.keys_of_users import KeysOfUsers
from infrastructure.postgres import Database
from infrastructure.rate_limits import RateLimits
from infrastructure.recovery import Recovery
from infrastructure.second_factors import SecondFactors
from infrastructure.security_log import SecurityLog
from infrastructure.sessions import Sessions
from infrastructure.settings import Settings
from infrastructure.signing import Signer
from infrastructure.telemetry import Telemetry
from infrastructure.tokens import AccessTokens
from projections.audit.trail import KeyReader
from projections.freshness import Freshness
from projections.ports import AuditTrail, SearchIndex

PROFILE_SECONDS = 5.0
"""How long a process may go on with what it knows of a tenant: its time zone, and whether it is active."""


@dataclass(frozen=True, kw_only=True)
class Services:
    """Everything that a handler may call. `dependencies` are what /ready asks, by name."""

    settings: Settings
    database: Database
    store: EventStore
    keys: KeyReader
    handler: Handler
    tenancy: Tenancy
    profiles: "Profiles"
    sessions: Sessions
    credentials: Credentials
    recovery: Recovery
    second_factors: SecondFactors
    enrolments: Enrolments
    security: SecurityLog
    access_tokens: AccessTokens
    api_keys: ApiKeys
    keys_of_users: KeysOfUsers
    csrf: Signer
    """Signs what a browser's session sends along with whatever changes something."""
    cursors: Signer
    """Signs the cursors of lists."""
    freshness: Freshness
    search: SearchIndex
    trail: AuditTrail
    telemetry: Telemetry
    rate_limits: RateLimits
    addresses: ClientAddresses
    long_operations: LongOperations
    uploads: LongOperations
    filing: Filing
    dependencies: Mapping[str, Callable[[], object]]
    threads: ThreadPoolExecutor
    """Runs handlers."""
    password_threads: ThreadPoolExecutor
    """Runs handlers that hash passwords: a flood of log-ins leaves the others alone."""
    admission_threads: ThreadPoolExecutor
    """Counts requests: whoever is to be refused never waits behind those who were let in."""
    file_threads: ThreadPoolExecutor
    """Reads and writes files, a piece at a time: none is held while a client is slow."""
    probe_threads: ThreadPoolExecutor
    """Asks dependencies how they are, even while all handlers wait for them."""

    def shut_down(self) -> None:
        """Ends the threads, when what they do is done."""
        handling = (self.threads, self.password_threads, self.file_threads)
        for threads in (*handling, self.admission_threads, self.probe_threads):
            threads.shutdown()


class Profiles:
    """Tenants' profiles, kept for some seconds: every request needs one, and reading it takes two round trips."""

    def __init__(self, tenancy: Tenancy, clock: Callable[[], float], seconds: float = PROFILE_SECONDS) -> None:
        self._tenancy = tenancy
        self._clock = clock
        self._seconds = seconds
        self._known: dict[UUID, tuple[float, TenantProfile]] = {}

    def forget(self, tenant: UUID) -> None:
        """Reads a tenant's profile anew the next time."""
        self._known.pop(tenant, None)

    def of(self, tenant: UUID) -> TenantProfile:
        """A tenant's profile. Raises NotFound."""
        known = self._known.get(tenant)
        if known is not None and self._clock() < known[0]:
            return known[1]
        profile = self._tenancy.profile(tenant)
        self._known[tenant] = self._clock() + self._seconds, profile
        return profile
