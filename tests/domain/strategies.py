"""Hypothesis strategies: any command that msgspec lets in, any event, any neighbours.

Tame values get a record somewhere, wild ones try each way that a type leaves open.
"""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin
from uuid import UUID

from hypothesis import strategies as st
from msgspec import UNSET, Meta, Struct, UnsetType, structs

from application.catalogue import Entity
from domain.contacts.commands import CreateContact, EmailDraft
from domain.deals.commands import OpenDeal
from domain.kernel import Command
from domain.neighbours import (
    AccountFacts,
    ContactFacts,
    Facts,
    Itself,
    PipelineFacts,
    ProductFacts,
    StageFacts,
    StageKind,
    UserFacts,
)
from domain.pipelines.commands import CreatePipeline, StageDraft
from tests.domain.specification import commands_of, id_of

IDS = [id_of(number) for number in range(5)]
PIPELINES = [id_of(number) for number in (20, 21)]
STAGES = [id_of(number) for number in range(10, 14)]
KINDS = (StageKind.OPEN, StageKind.OPEN, StageKind.WON, StageKind.LOST)
DRAFTS = tuple(
    StageDraft(id=stage, name=f"Stage {number}", kind=kind, probability=50)
    for number, (stage, kind) in enumerate(zip(STAGES, KINDS, strict=True))
)

_TAME_TEXTS = {
    "email": ["ada@example.com", "Ada@Example.com"],
    "billing_email": ["ada@example.com"],
    "address": ["ada@example.com", "bob@example.com"],
    "phone": ["+44 20 7946 0018"],
    "number": ["+44 20 7946 0018", "112"],
    "url": ["https://example.com"],
    "website": ["example.com"],
    "time_zone": ["UTC", "Europe/Paris"],
    "reason": ["too dear"],
    "currency": ["USD", "EUR"],
}
_WILD_TEXTS = ["", " ", "\x00", "\ud800", "USD\n", "é" * 300, "a@b@c", "NaN"]
_WILD_DECIMALS = ["NaN", "sNaN", "Infinity", "-Infinity", "-1", "-0", "1E+999999", "0E+999999", "1E-999999", "1E+15"]
_WILD_DECIMALS += ["999999999999999.9999", "0.00001"]


@cache
def of_type(of: Any, name: str = "", *, wild: bool = True) -> st.SearchStrategy[Any]:
    """Any value of a type; `name` is the field that it is for."""
    if isinstance(of, type) and issubclass(of, Struct):
        return struct(of, wild=wild)
    if isinstance(of, type) and issubclass(of, Enum):
        return st.sampled_from(list(of))
    if of is UUID:
        return st.sampled_from(PIPELINES if name == "pipeline" else STAGES if name in ("stage", "id") else IDS)
    if of is str and wild:
        return st.sampled_from(_WILD_TEXTS) | st.text(max_size=20)
    if of is str:
        return st.sampled_from(_TAME_TEXTS.get(name, ["Acme", "x1"]))
    if of is Decimal and wild:
        return st.sampled_from([Decimal(each) for each in _WILD_DECIMALS]) | st.decimals()
    if of is Decimal:
        return st.decimals(min_value=1, max_value=99, places=2)
    if of in (bool, int, date, bytes, NoneType):
        return st.from_type(of)
    return _composed(of, name, wild)


def _composed(of: Any, name: str, wild: bool) -> st.SearchStrategy[Any]:
    origin, arguments = get_origin(of), get_args(of)
    if of is UnsetType:
        return st.just(UNSET)
    if origin is Annotated:
        return _bounded(arguments[0], arguments[1:], name, wild)
    if origin in (Union, UnionType):
        return st.one_of([of_type(each, name, wild=wild) for each in arguments])
    if origin is Literal:
        return st.sampled_from(arguments)
    if origin is tuple and arguments[0] is StageDraft and not wild:
        more = st.just(()) | st.just((StageDraft(id=IDS[0], name="More", probability=1),))
        return st.tuples(st.permutations(DRAFTS), more).map(lambda both: (*both[0], *both[1]))
    if origin is tuple:
        return st.lists(of_type(arguments[0], name, wild=wild), max_size=3).map(tuple)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        keys = st.sampled_from(["USD", "EUR", "a/b", "\x00"] if wild else ["USD", "EUR"])
        return st.dictionaries(keys, of_type(arguments[1], name, wild=wild), max_size=3)
    raise TypeError(f"No strategy for {of}")


def _bounded(of: Any, metas: tuple[Any, ...], name: str, wild: bool) -> st.SearchStrategy[Any]:
    """Bounds of numbers are msgspec's to keep; texts may be longer and wilder than it lets them."""
    for meta in metas:
        if isinstance(meta, Meta) and meta.ge is not None:
            return st.integers(int(meta.ge), None if meta.le is None else int(meta.le))
    return of_type(of, name, wild=wild)


@cache
def struct(of: type[Struct], *, wild: bool = True) -> st.SearchStrategy[Any]:
    """Any struct of a type, its optional fields given or left out; a wild one has one wild field."""
    required, optional = {}, {}
    for field in structs.fields(of):
        (required if field.required else optional)[field.name] = of_type(field.type, field.name, wild=False)
    tame = st.fixed_dictionaries(required, optional=optional).map(lambda fields: of(**fields))
    if not wild or not of.__struct_fields__:
        return tame
    changes = [of_type(each.type, each.name).map(_named(each.name)) for each in structs.fields(of)]
    return st.tuples(tame, st.one_of(changes)).map(lambda both: structs.replace(both[0], **both[1]))


def _named(name: str) -> Any:
    return lambda value: {name: value}


_USUAL: dict[str, Command] = {
    "contact": CreateContact(first_name="Ada", last_name="Lovelace", emails=(EmailDraft(address="ada@example.com"),)),
    "pipeline": CreatePipeline(name="Sales", stages=DRAFTS),
    "deal": OpenDeal(name="Engine", pipeline=PIPELINES[0], stage=STAGES[0], amount=Decimal(5), currency="USD"),
}


@cache
def commands(entity: Entity) -> st.SearchStrategy[list[Command]]:
    """Any list of commands of an entity, of which the first often creates it."""
    (creating,) = [each for each in commands_of(entity) if each.CREATES]
    first = st.sampled_from([_creating(entity, creating)] * 4 + [struct(creating)]).flatmap(lambda each: each)
    following = [struct(each, wild=wild) for each in commands_of(entity) for wild in (False, True)]
    return st.tuples(first, st.lists(st.one_of(following), min_size=1, max_size=12)).map(
        lambda both: [both[0], *both[1]]
    )


def _creating(entity: Entity, of: type[Command]) -> st.SearchStrategy[Command]:
    """A command that creates a record: of those that are hard to get right, one that is, with more fields."""
    usual = _USUAL.get(entity.name)
    if usual is None:
        return struct(of, wild=False)
    more = {
        each.name: of_type(each.type, each.name, wild=False)
        for each in structs.fields(of)
        if getattr(usual, each.name) == each.default
    }
    return st.fixed_dictionaries({}, optional=more).map(lambda fields: structs.replace(usual, **fields))


def _pipeline(ids: list[UUID], kinds: list[StageKind]) -> PipelineFacts:
    stages = zip(ids, kinds, strict=False)
    return PipelineFacts(
        stages=tuple(StageFacts(id=each, name="S", kind=kind, probability=50) for each, kind in stages)
    )


_PARENTS = st.none() | st.sampled_from(IDS)
_FACTS = st.one_of(
    st.builds(AccountFacts, parent=_PARENTS),
    st.builds(UserFacts, parent=_PARENTS),
    st.builds(ContactFacts),
    st.builds(ProductFacts, name=st.just("P"), prices=st.just({"USD": Decimal(550)})),
    st.just(Itself()),
)
_ANY_PIPELINE = st.builds(_pipeline, st.permutations(STAGES), st.lists(st.sampled_from(StageKind), max_size=4))
_USUAL_PIPELINES: dict[UUID, Facts] = dict.fromkeys(PIPELINES, _pipeline(STAGES, list(KINDS)))
NEIGHBOURS: st.SearchStrategy[dict[UUID, Facts]] = st.tuples(
    st.dictionaries(st.sampled_from(IDS), _FACTS),
    st.one_of(
        st.just(_USUAL_PIPELINES),
        st.builds(lambda other: {**_USUAL_PIPELINES, PIPELINES[1]: other}, _ANY_PIPELINE),
        st.dictionaries(st.sampled_from(PIPELINES), _ANY_PIPELINE | _FACTS),
    ),
).map(lambda both: {**both[0], **both[1]})
