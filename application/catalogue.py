"""THE list of entities and journals. It pins the stored type names, and says what each entity shows to the others."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, get_args
from uuid import UUID

from msgspec import Struct

import domain.accounts.commands
import domain.contacts.commands
import domain.deals.commands
import domain.files.commands
import domain.identity.commands
import domain.pipelines.commands
import domain.products.commands
import domain.tenants.commands
from application.ports import PrincipalChange
from domain.accounts.events import AccountEvent
from domain.accounts.state import Account
from domain.contacts.events import ContactEvent
from domain.contacts.state import Contact
from domain.deals.events import DealEvent
from domain.deals.state import Deal
from domain.files.events import FileEvent
from domain.files.state import File
from domain.identity.events import UserEvent
from domain.identity.state import User
from domain.kernel import Claim, Event, Reference
from domain.neighbours import (
    AccountFacts,
    ContactFacts,
    DealFacts,
    Facts,
    Neighbours,
    PipelineFacts,
    ProductFacts,
    StageFacts,
    UserFacts,
)
from domain.permissions import Sight
from domain.pipelines.events import PipelineEvent
from domain.pipelines.state import Pipeline
from domain.products.events import ProductEvent
from domain.products.state import Product
from domain.security.events import AccessEvent
from domain.tenants.events import TenantEvent
from domain.tenants.state import Tenant


class Entity(Struct, frozen=True, kw_only=True):
    """What the generic handler, audit, history and the projections need to know of an entity.

    `state` is its struct, `evolve` its one fold. `facts` is what it shows of itself to decisions of others,
    `principal` what authorisation reads of it, `displaced` what it does when another record takes its claim over,
    `owner` whose a record is (None: the kind is everybody's), `host` the kind and id of the record that it hangs on
    (None: it stands by itself).
    """

    name: str
    state: type[Struct]
    events: tuple[type[Event], ...]
    evolve: Callable[[Any, Any], Any]
    decide: Callable[[Any, Any, Neighbours], list[Any]]
    references: Callable[[Any, Any], Iterable[Reference]]
    claims: Callable[[Any], frozenset[Claim]]
    facts: Callable[[Any], Facts] | None = None
    principal: Callable[[UUID, Any], PrincipalChange] | None = None
    displaced: Callable[[Any, Claim], list[Any]] | None = None
    owner: Callable[[Any], UUID | None] | None = None
    host: Callable[[Any], tuple[str, UUID]] | None = None

    def is_in(self, sight: Sight, state: Any) -> bool:
        """Whether a record of this kind, in that state, is within a sight."""
        return self.owner is None or sight.covers(self.owner(state))


def _entity(name: str, package: Any, state: type[Struct], union: Any, **others: Any) -> Entity:
    return Entity(
        name=name,
        state=state,
        events=get_args(union),
        evolve=package.state.evolve,
        decide=package.commands.decide,
        references=package.commands.references,
        claims=package.commands.claims,
        **others,
    )


def _owner(state: Account | Contact | Deal) -> UUID | None:
    return state.owner


def _account_facts(account: Account) -> AccountFacts:
    return AccountFacts(parent=account.parent, archived=account.archived)


def _contact_facts(contact: Contact) -> ContactFacts:
    return ContactFacts(archived=contact.archived)


def _deal_facts(deal: Deal) -> DealFacts:
    return DealFacts(archived=deal.archived)


def _product_facts(product: Product) -> ProductFacts:
    return ProductFacts(name=product.name, prices=product.prices, archived=product.archived or not product.active)


def _user_facts(user: User) -> UserFacts:
    return UserFacts(parent=user.manager, archived=not user.active)


def _principal(id_: UUID, user: User) -> PrincipalChange:
    return PrincipalChange(
        user=id_,
        role=user.role,
        manager=user.manager,
        office=user.office,
        active=user.active,
        ends_keys=not user.active and not user.keeps_api_keys,
    )


def _pipeline_facts(pipeline: Pipeline) -> PipelineFacts:
    return PipelineFacts(
        archived=pipeline.archived,
        stages=tuple(
            StageFacts(id=stage.id, name=stage.name, kind=stage.kind, probability=stage.probability)
            for stage in pipeline.stages
        ),
    )


ENTITIES: Mapping[str, Entity] = {
    entity.name: entity
    for entity in (
        _entity("tenant", domain.tenants, Tenant, TenantEvent),
        _entity("user", domain.identity, User, UserEvent, facts=_user_facts, principal=_principal),
        _entity("account", domain.accounts, Account, AccountEvent, facts=_account_facts, owner=_owner),
        _entity("contact", domain.contacts, Contact, ContactEvent, facts=_contact_facts, owner=_owner),
        _entity("product", domain.products, Product, ProductEvent, facts=_product_facts),
        _entity(
            "pipeline",
            domain.pipelines,
            Pipeline,
            PipelineEvent,
            facts=_pipeline_facts,
            displaced=domain.pipelines.commands.displaced,
        ),
        _entity("deal", domain.deals, Deal, DealEvent, facts=_deal_facts, owner=_owner),
        _entity("file", domain.files, File, FileEvent, host=lambda file: (file.entity, file.record)),
    )
}

JOURNALS: Mapping[str, tuple[type[Event], ...]] = {"access": get_args(AccessEvent)}
"""Kinds of streams that make no state: each event says all. They may grow long, so nobody reads one to its start."""

EVENT_TYPES: Mapping[str, type[Event]] = {
    each.TYPE: each
    for events in (*(entity.events for entity in ENTITIES.values()), *JOURNALS.values())
    for each in events
}


def evolved(entity: str, state: Any, event: Event) -> Any:
    """The state of an entity's stream after another event, by its one fold; None for a journal."""
    return None if entity in JOURNALS else ENTITIES[entity].evolve(state, event)


def is_journal(stream: str) -> bool:
    """Whether a stream's events make no state."""
    return stream.partition("-")[0] in JOURNALS
