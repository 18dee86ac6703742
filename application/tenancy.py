"""The platform's tenants: streams of the platform's own log, found by subdomain through its claims."""

from collections.abc import Iterator
from uuid import UUID

from msgspec import Struct
from uuid_utils.compat import uuid7

from application.handling import Handler, Sender
from application.platform import PLATFORM, tenant_state
from application.ports import EventStore
from application.recording import stream_subject
from domain.kernel import Claim, NotFound
from domain.permissions import HELD_BY, Role, ViewersSee
from domain.pipelines.commands import CreatePipeline
from domain.pipelines.commands import stages_for_new_tenants as stages
from domain.tenants.commands import EditTenant, RegisterTenant
from domain.tenants.events import Plan
from domain.tenants.state import Tenant, viewers_see

OPERATOR = HELD_BY[Role.ADMIN] | {"tenant:create", "tenant:manage"}
"""What the platform's own processes may do."""

_PAGE = 1000


class TenantProfile(Struct, frozen=True, kw_only=True):
    """What requests need to know of a tenant. `time_zone` is an IANA name.

    A `max_users` or `storage_gb` (of 10^9 bytes each) of None sets no limit.
    """

    id: UUID
    name: str
    subdomain: str
    time_zone: str
    active: bool
    plan: Plan
    max_users: int | None = None
    storage_gb: int | None = None
    viewers_see: ViewersSee = ViewersSee.ALL


class Tenancy:
    """Registers tenants and finds them."""

    def __init__(self, store: EventStore, handler: Handler) -> None:
        self._store = store
        self._handler = handler

    def register(self, command: RegisterTenant, *, actor: str = "cli") -> TenantProfile:
        """Makes a tenant with its default pipeline. Repeating it after a crash makes what is missing.

        Raises AlreadyTaken for a subdomain that another tenant has.
        """
        id = uuid7()
        self._handler.handle(operator(PLATFORM, actor), "tenant", id, command)
        self.open(id, actor=actor)
        return self.profile(id)

    def edit(self, tenant: UUID, command: EditTenant, *, actor: str = "cli") -> TenantProfile:
        """Changes a tenant. Raises NotFound, AlreadyTaken or Invalid."""
        self._handler.handle(operator(PLATFORM, actor), "tenant", tenant, command)
        return self.profile(tenant)

    def open(self, tenant: UUID, *, actor: str = "cli") -> None:
        """Gives a tenant its default pipeline unless it has it."""
        command = CreatePipeline(name="Sales", default=True, stages=stages([uuid7() for _ in range(6)]))
        if not self._store.holders(tenant, (Claim("pipeline.default", ""),)):
            self._handler.handle(operator(tenant, actor), "pipeline", uuid7(), command)

    def find(self, name: str) -> TenantProfile:
        """A tenant by its subdomain or id. Raises NotFound."""
        claim = Claim("tenant.subdomain", name.casefold())
        holder = self._store.holders(PLATFORM, (claim,)).get(claim)
        if holder is not None:
            return self.profile(stream_subject(holder)[1])
        try:
            return self.profile(UUID(name))
        except ValueError:
            raise NotFound(f"There is no tenant '{name}'.") from None

    def profile(self, tenant: UUID) -> TenantProfile:
        """A tenant's profile. Raises NotFound."""
        state = tenant_state(self._store, tenant)
        if state is None:
            raise NotFound(f"There is no tenant {tenant}.")
        return _profile(tenant, state)

    def all(self) -> Iterator[TenantProfile]:
        """All tenants, in the order in which they were registered."""
        after = 0
        while page := self._store.log(PLATFORM, after=after, limit=_PAGE):
            after = page[-1].position
            for recorded in page:
                if recorded.entity == "tenant" and recorded.version == 1:
                    yield self.profile(recorded.id)


def _profile(tenant: UUID, state: Tenant) -> TenantProfile:
    return TenantProfile(
        id=tenant,
        name=state.name,
        subdomain=state.subdomain,
        time_zone=state.time_zone,
        active=state.active,
        plan=state.plan,
        max_users=state.max_users,
        storage_gb=state.storage_gb,
        viewers_see=viewers_see(state.settings),
    )


def operator(tenant: UUID, actor: str) -> Sender:
    """The platform's own processes, as senders of commands to a tenant."""
    return Sender(tenant=tenant, actor=actor, permissions=OPERATOR, correlation=uuid7())
