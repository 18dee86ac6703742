"""Second factors: the secrets that users' devices share with the server, and the codes that prove to have them.

A secret is sealed under its user's data key, which the master key wraps: the database alone makes no code, and whoever
replaces the master key has nothing to do here.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID, uuid4

from msgspec import Struct

from application.ports import KeyMissing
from domain.kernel import Refused, Sealed
from infrastructure.keys import KeyRing, Keys
from infrastructure.one_time_codes import recovery_hash, step_of
from infrastructure.postgres import Database, Transaction


class SecondFactorRequired(Refused):
    """The password is right, and the user has a second factor: repeat the log-in with a `code` of it."""

    code = "second_factor_required"


class SecondFactorOn(Refused):
    """The user has a second factor already: it must be turned off before another one is set up."""

    code = "second_factor_on"


class SecondFactorOff(Refused):
    """The user has no second factor, or has not begun to set one up within the last hour."""

    code = "second_factor_off"


class WrongCode(Refused):
    """The code of the second factor is another one, is over, or was used before."""

    code = "wrong_code"


class SecondFactor(Struct, frozen=True, kw_only=True):
    """What a user may know of their second factor: since when it is asked for, and what is left for losing it."""

    on: bool
    since: datetime | None = None
    recovery_codes_left: int = 0


class Proof(Struct, frozen=True, kw_only=True):
    """Whether a code was right, or none was needed. A recovery code says how many are left."""

    right: bool
    codes_left: int | None = None


FAILED = Proof(right=False)


class SecondFactors:
    """Keeps secrets and recovery codes. A code counts once: call within the transaction that lets somebody in by it,
    behind the lock of their failures (Lockouts.hold), so that two who come at once don't both get in."""

    def __init__(self, database: Database, keyring: KeyRing) -> None:
        self._database = database
        self._keyring = keyring

    def of(self, tenant: UUID, user: UUID) -> SecondFactor:
        """What a user may know of theirs."""
        rows = self._database.read(tenant, _KNOWN, {"user": user})
        if not rows:
            return SecondFactor(on=False)
        return SecondFactor(on=True, since=rows[0]["confirmed_at"], recovery_codes_left=rows[0]["codes_left"])

    def keys(self, tenant: UUID, user: UUID | None) -> Keys:
        """What opens a user's secret. It is asked for even where there is nobody, for the time it takes."""
        return self._keyring.read(tenant, (user or uuid4(),))

    def sealed(self, tenant: UUID, user: UUID, secret: str) -> bytes:
        """A secret as it is stored. Raises KeyMissing for a user without a key."""
        key = self._keyring.sealing(tenant, (user,)).get(user)
        if key is None:
            raise KeyMissing(f"user {user} has no key to seal with")
        return key.seal(secret.encode()).data

    def is_on(self, transaction: Transaction, user: UUID) -> bool:
        """Whether log-ins of a user ask for a code."""
        return bool(transaction.execute(_CONFIRMED, {"user": user}))

    def prove(self, transaction: Transaction, user: UUID, code: str | None, keys: Keys | None) -> Proof:
        """Whether a code is right, which is used up then. Raises SecondFactorRequired where one is needed."""
        found = transaction.execute(_CONFIRMED, {"user": user})
        if not found:
            return Proof(right=True)
        if code is None or keys is None:
            raise SecondFactorRequired("Repeat the log-in with the code that your device shows, or a recovery code.")
        step = _step(user, found[0]["secret"], code, keys)
        if step is not None:
            used = transaction.execute(_USE_STEP, {"user": user, "step": step})
            return Proof(right=bool(used))
        if not transaction.execute(_USE_CODE, {"user": user, "hash": recovery_hash(code)}):
            return FAILED
        return Proof(right=True, codes_left=transaction.execute(_LEFT, {"user": user})[0]["codes_left"])

    def begin(self, transaction: Transaction, user: UUID, sealed: bytes) -> None:
        """Keeps a secret that waits for its first code; one that waited before is gone. Raises SecondFactorOn."""
        if not transaction.execute(_BEGIN, {"user": user, "secret": sealed}):
            raise SecondFactorOn("Turn your second factor off before you set another one up.")

    def confirm(self, transaction: Transaction, user: UUID, code: str, keys: Keys) -> Proof:
        """Whether this is a code of the secret that waits: from now on it is asked for. Raises SecondFactorOff."""
        found = transaction.execute(_BEGUN, {"user": user})
        if not found:
            raise SecondFactorOff("Begin with POST /auth/second-factor: you haven't within the last hour.")
        step = _step(user, found[0]["secret"], code, keys)
        if step is None:
            return FAILED
        transaction.execute(_CONFIRM, {"user": user, "step": step})
        return Proof(right=True)

    def give_codes(self, transaction: Transaction, user: UUID, codes: Sequence[str]) -> None:
        """Keeps the hashes of a user's recovery codes, and none of earlier ones."""
        transaction.execute(_FORGET_CODES, {"user": user})
        transaction.execute(_KEEP_CODES, {"user": user, "hashes": [recovery_hash(code) for code in codes]})

    def remove(self, transaction: Transaction, user: UUID) -> bool:
        """Takes a user's second factor away, with all codes; whether there was one that was asked for."""
        transaction.execute(_FORGET_CODES, {"user": user})
        gone = transaction.execute(_REMOVE, {"user": user})
        return bool(gone) and gone[0]["confirmed_at"] is not None


def _step(user: UUID, sealed: bytes, code: str, keys: Keys) -> int | None:
    """The step of a code; None: it is none of this secret, or the secret's key was erased."""
    secret = keys.open(user, Sealed(sealed))
    return None if secret is None else step_of(secret.decode(), code)


_LEFT = "SELECT count(*) AS codes_left FROM recovery_codes WHERE tenant_id = %(tenant)s AND user_id = %(user)s"

_KNOWN = f"""
SELECT confirmed_at, ({_LEFT}) AS codes_left FROM second_factors
WHERE tenant_id = %(tenant)s AND user_id = %(user)s AND confirmed_at IS NOT NULL
"""  # noqa: S608 - both are literals

_CONFIRMED = """
SELECT secret FROM second_factors
WHERE tenant_id = %(tenant)s AND user_id = %(user)s AND confirmed_at IS NOT NULL FOR UPDATE
"""

_USE_STEP = """
UPDATE second_factors SET last_step = %(step)s
WHERE tenant_id = %(tenant)s AND user_id = %(user)s AND confirmed_at IS NOT NULL AND last_step < %(step)s
RETURNING 1
"""

_USE_CODE = """
DELETE FROM recovery_codes WHERE tenant_id = %(tenant)s AND user_id = %(user)s AND hash = %(hash)s RETURNING 1
"""

_BEGIN = """
INSERT INTO second_factors AS f (tenant_id, user_id, secret, begun_at)
VALUES (%(tenant)s, %(user)s, %(secret)s, clock_timestamp())
ON CONFLICT (tenant_id, user_id) DO UPDATE SET secret = excluded.secret, begun_at = excluded.begun_at
WHERE f.confirmed_at IS NULL
RETURNING 1
"""

_BEGUN = """
SELECT secret FROM second_factors
WHERE tenant_id = %(tenant)s AND user_id = %(user)s AND confirmed_at IS NULL
  AND begun_at > clock_timestamp() - interval '1 hour' FOR UPDATE
"""

_CONFIRM = """
UPDATE second_factors SET confirmed_at = clock_timestamp(), last_step = %(step)s
WHERE tenant_id = %(tenant)s AND user_id = %(user)s
"""

_FORGET_CODES = "DELETE FROM recovery_codes WHERE tenant_id = %(tenant)s AND user_id = %(user)s"

_KEEP_CODES = """
INSERT INTO recovery_codes (tenant_id, user_id, hash)
SELECT %(tenant)s, %(user)s, hash FROM unnest(%(hashes)s::bytea[]) AS hash ON CONFLICT DO NOTHING
"""

_REMOVE = """
DELETE FROM second_factors WHERE tenant_id = %(tenant)s AND user_id = %(user)s RETURNING confirmed_at
"""
