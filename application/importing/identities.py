"""Who is who: external ids as claims, and the keyed hashes that stand for texts which must not be stored.

An external id that also says who somebody is, such as a name, is kept as a keyed hash: events are for ever, and
hold personal data only sealed. Whoever refers to such a record may name it either way.
"""

from collections.abc import Iterator, Mapping, Sequence
from uuid import UUID

from application.importing.catalogue import kind_of
from application.importing.rows import EXTERNAL_ID, Plan, Row
from application.ports import EventStore
from domain.kernel import Claim

_HIDDEN = "keyed:"
_DIGITS = 32


class Identities:
    """The ids and the sources of some rows, hashed at once."""

    def __init__(self, store: EventStore, tenant: UUID, plan: Plan, rows: Sequence[Row]) -> None:
        self._plan = plan
        texts = list({text for row in rows for text in self._texts(row)})
        digests = store.keyed_hash(tenant, texts)
        self._hash = {text: digest[:_DIGITS] for text, digest in zip(texts, digests, strict=True)}
        self._referred = {
            (row.number, field): self._claims(field, row.values[field]) for row in rows for field in plan.references
        }

    def own_id(self, row: Row) -> str:
        """The external id that the row's record gets."""
        return self._hidden(row.external_id) if self._plan.hides_id else row.external_id

    def own(self, row: Row) -> tuple[Claim, ...]:
        """What the row's record is found by."""
        entity = self._plan.kind.entity
        plain = _claim(entity, row.external_id)
        return (_claim(entity, self.own_id(row)), plain) if self._plan.hides_id else (plain,)

    def made_id(self, row: Row, field: str) -> str:
        """The external id of a record that is made because the row refers to it."""
        text = str(row.values[field])
        return self._hidden(text) if self._plan.made[field].hides_id else text

    def referred(self, row: Row, field: str) -> tuple[Claim, ...]:
        """What the record is found by that a field of the row refers to; nothing where the field is empty."""
        return self._referred[row.number, field]

    def claims(self, row: Row) -> Iterator[Claim]:
        """All that has to be looked up for a row."""
        yield from self.own(row)
        for field in self._plan.references:
            yield from self.referred(row, field)
        kind = self._plan.kind
        for field in kind.claimed:
            if text := row.values.get(field):
                yield Claim(f"{kind.entity}.{field}", text.casefold())

    def sources(self, row: Row) -> Mapping[str, str]:
        """Field → keyed hash of what the row says, fields that it leaves empty left out."""
        return {field: self._hash[f"{field}\0{text}"] for field, text in row.sources.items()}

    def _claims(self, field: str, text: str | None) -> tuple[Claim, ...]:
        entity = self._plan.columns[field].field.entity
        if text is None or entity is None:
            return ()
        if kind_of(entity).personal:
            return (_claim(entity, text), _claim(entity, self._hidden(text)))
        return (_claim(entity, text),)

    def _texts(self, row: Row) -> Iterator[str]:
        for field, text in row.sources.items():
            yield f"{field}\0{text}"
        if self._plan.hides_id:
            yield _hidden_text(row.external_id)
        for field in self._plan.references:
            if row.values[field] is not None:
                yield _hidden_text(row.values[field])

    def _hidden(self, text: str) -> str:
        return _HIDDEN + self._hash[_hidden_text(text)]


def _hidden_text(text: str) -> str:
    return f"{EXTERNAL_ID}\0{text}"


def _claim(entity: str, external_id: str) -> Claim:
    return Claim(f"{entity}.{EXTERNAL_ID}", external_id)
