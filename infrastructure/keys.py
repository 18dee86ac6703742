"""Data keys of subjects, wrapped by the master key: what seals personal data and keys the tenant's hashes.

AES-256-GCM (NIST SP 800-38D) with a random nonce of 96 bits; what is sealed is bound to its tenant and subject.
"""

import hmac
import os
from collections.abc import Collection, Mapping, Sequence
from hashlib import sha256
from typing import Any
from uuid import UUID

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from application.ports import KeyMissing
from domain.kernel import Sealed
from infrastructure.postgres import Database

KEYS_OF = "SELECT subject, wrapped FROM keys.subject_keys WHERE tenant_id = %(tenant)s AND subject = ANY(%(subjects)s)"

_NONCE = 12
_KEPT = 10_000
"""Keys to seal with that a process keeps; beyond, it forgets them and looks anew."""


class Wrapping:
    """The master key: wraps data keys, so that the database alone opens nothing."""

    def __init__(self, master_key: bytes) -> None:
        if len(master_key) != 32:
            raise ValueError("MASTER_KEY must be 32 bytes, base64-encoded")
        self._cipher = AESGCM(master_key)

    def wrap(self, tenant: UUID, subject: UUID, key: bytes) -> bytes:
        """The stored form of a data key."""
        nonce = os.urandom(_NONCE)
        return nonce + self._cipher.encrypt(nonce, key, tenant.bytes + subject.bytes)

    def unwrap(self, tenant: UUID, subject: UUID, wrapped: bytes) -> bytes:
        """The data key. Raises cryptography's InvalidTag for another master key."""
        return self._cipher.decrypt(wrapped[:_NONCE], wrapped[_NONCE:], tenant.bytes + subject.bytes)


class DataKey:
    """One subject's key. Its cipher is made for each use, in 2 µs: kept, it would take 2.5 kB."""

    __slots__ = ("_bound", "_key")

    def __init__(self, tenant: UUID, subject: UUID, key: bytes) -> None:
        self._key = key
        self._bound = tenant.bytes + subject.bytes

    def seal(self, plain: bytes) -> Sealed:
        """Encrypts and authenticates."""
        nonce = os.urandom(_NONCE)
        return Sealed(nonce + AESGCM(self._key).encrypt(nonce, plain, self._bound))

    def open(self, sealed: Sealed) -> bytes:
        """What was sealed. Raises cryptography's InvalidTag for another key, tenant or subject."""
        return AESGCM(self._key).decrypt(sealed.data[:_NONCE], sealed.data[_NONCE:], self._bound)

    def digest(self, value: bytes) -> bytes:
        """HMAC-SHA-256 (RFC 2104) of a value."""
        return hmac.digest(self._key, value, sha256)


class Keys:
    """What the keys of one reading open: a subject's key, or None for an erased one."""

    def __init__(self, keys: Mapping[UUID, DataKey | None]) -> None:
        self._keys = keys

    def open(self, subject: UUID, sealed: Sealed) -> bytes | None:
        """What was sealed, None where its key was erased. Raises KeyMissing."""
        if subject not in self._keys:
            raise KeyMissing(f"the key of subject {subject} is missing, and nobody erased it")
        key = self._keys[subject]
        return None if key is None else key.open(sealed)


class KeyRing:
    """The tenants' data keys. Only for sealing are keys kept in memory; what opens is read each time anew,
    so that an erasure counts at once in every process."""

    def __init__(self, database: Database, wrapping: Wrapping) -> None:
        self._database = database
        self._wrapping = wrapping
        self._sealing: dict[tuple[UUID, UUID], DataKey] = {}

    def keys(self, tenant: UUID, rows: Collection[Mapping[str, Any]]) -> Keys:
        """The keys in rows of KEYS_OF."""
        return Keys(
            {row["subject"]: row["wrapped"] and self._unwrapped(tenant, row["subject"], row["wrapped"]) for row in rows}
        )

    def read(self, tenant: UUID, subjects: Collection[UUID]) -> Keys:
        """The keys of these subjects."""
        rows = self._database.read(tenant, KEYS_OF, {"subjects": list(subjects)}, one_plan=True) if subjects else []
        return self.keys(tenant, rows)

    def sealing(self, tenant: UUID, subjects: Collection[UUID]) -> dict[UUID, DataKey]:
        """Keys to seal with; a subject that has none, or an erased one, is left out."""
        found = {subject: key for subject in subjects if (key := self._sealing.get((tenant, subject)))}
        unknown = [subject for subject in subjects if subject not in found]
        if unknown:
            for row in self._database.read(tenant, KEYS_OF, {"subjects": unknown}, one_plan=True):
                if row["wrapped"]:
                    found[row["subject"]] = self._unwrapped(tenant, row["subject"], row["wrapped"])
                    self.remember(tenant, row["subject"], found[row["subject"]])
        return found

    def new(self, tenant: UUID, subject: UUID) -> tuple[DataKey, bytes]:
        """A new data key, and its wrapped form to be stored before anything that it seals."""
        key = os.urandom(32)
        return DataKey(tenant, subject, key), self._wrapping.wrap(tenant, subject, key)

    def remember(self, tenant: UUID, subject: UUID, key: DataKey) -> None:
        """Keeps a key for sealing that is now stored."""
        if len(self._sealing) >= _KEPT:
            self._sealing.clear()
        self._sealing[tenant, subject] = key

    def erase(self, tenant: UUID, subject: UUID) -> None:
        """Destroys a key, and leaves its tombstone; what it sealed can't be opened any more."""
        with self._database.transaction(tenant) as transaction:
            transaction.execute(
                "UPDATE keys.subject_keys SET wrapped = NULL, erased_at = clock_timestamp()"
                " WHERE tenant_id = %(tenant)s AND subject = %(subject)s AND wrapped IS NOT NULL",
                {"subject": subject},
            )
        self._sealing.pop((tenant, subject), None)

    def of_tenant(self, tenant: UUID) -> DataKey:
        """The tenant's own key, for keyed hashes; it is made when first needed, and its subject is the tenant."""
        for _ in range(2):
            if key := self.sealing(tenant, (tenant,)).get(tenant):
                return key
            _, wrapped = self.new(tenant, tenant)
            with self._database.transaction(tenant) as transaction:
                transaction.execute(
                    "INSERT INTO keys.subject_keys (tenant_id, subject, wrapped)"
                    " VALUES (%(tenant)s, %(tenant)s, %(wrapped)s) ON CONFLICT DO NOTHING",
                    {"wrapped": wrapped},
                )
        raise KeyMissing(f"tenant {tenant} has no key of its own")

    def digests(self, tenant: UUID, values: Sequence[str]) -> list[bytes]:
        """Each value's HMAC under the tenant's own key."""
        key = self.of_tenant(tenant)
        return [key.digest(value.encode()) for value in values]

    def _unwrapped(self, tenant: UUID, subject: UUID, wrapped: bytes) -> DataKey:
        return DataKey(tenant, subject, self._wrapping.unwrap(tenant, subject, wrapped))
