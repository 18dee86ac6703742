"""Setting a second factor up and taking it away: what a user does with password and code, and others for who lost it.

Every password and code that is tried here counts as one that is tried to log in with: five wrong ones lock the account.
"""

from collections.abc import Sequence
from uuid import UUID

from msgspec import Struct

from domain.security.events import (
    AccessEvent,
    RecoveryCodeUsed,
    SecondFactorDisabled,
    SecondFactorEnabled,
    SecondFactorReset,
)
from infrastructure.credentials import Credentials, WrongPassword, check_known
from infrastructure.lockouts import Lockouts
from infrastructure.one_time_codes import enrolment_uri, new_recovery_codes, new_secret
from infrastructure.postgres import Database, Transaction
from infrastructure.second_factors import FAILED, SecondFactorOff, SecondFactors, WrongCode
from infrastructure.security_log import SecurityLog
from infrastructure.sessions import Client, Principal, Sessions


class Enrolment(Struct, frozen=True, kw_only=True):
    """What a user's device is to know, told this once: `uri` is the same as a link, or a QR code."""

    secret: str
    uri: str


class Enrolments:
    """Second factors as their users set them."""

    def __init__(
        self,
        database: Database,
        credentials: Credentials,
        second_factors: SecondFactors,
        sessions: Sessions,
        lockouts: Lockouts,
        security: SecurityLog,
    ) -> None:
        self._database = database
        self._credentials = credentials
        self._second_factors = second_factors
        self._sessions = sessions
        self._lockouts = lockouts
        self._security = security

    def begin(self, principal: Principal, password: str, *, account: str, issuer: str, client: Client) -> Enrolment:
        """A new secret, which counts as soon as a code confirms it. Raises WrongPassword or SecondFactorOn."""
        right = self._credentials.verified(principal.tenant, principal.user, password)
        secret = new_secret()
        sealed = self._second_factors.sealed(principal.tenant, principal.user, secret)
        with self._database.transaction(principal.tenant) as transaction:
            verdict = self._lockouts.judge(transaction, principal.user, right=right)
            if verdict.allowed:
                self._second_factors.begin(transaction, principal.user, sealed)
        if not verdict.allowed:
            self._refuse(principal, verdict.told, client, WrongPassword(_WRONG_PASSWORD, field="/password"))
        self._security.told_by(principal, verdict.told, client)
        return Enrolment(secret=secret, uri=enrolment_uri(secret, account=account, issuer=issuer))

    def confirm(self, principal: Principal, code: str, client: Client) -> Sequence[str]:
        """Turns the second factor on, ends the user's other sessions, and gives their recovery codes.

        Raises WrongCode or SecondFactorOff.
        """
        user, codes = principal.user, new_recovery_codes()
        keys = self._second_factors.keys(principal.tenant, user)
        noted: list[AccessEvent] = []
        with self._database.transaction(principal.tenant) as transaction:
            held = self._lockouts.hold(transaction, user)
            proof = FAILED if held.locked else self._second_factors.confirm(transaction, user, code, keys)
            verdict = self._lockouts.verdict(transaction, user, held, right=proof.right)
            if verdict.allowed:
                self._second_factors.give_codes(transaction, user, codes)
                self._sessions.end_others(transaction, user, principal.session)
                noted = self._security.within_limit(transaction, user, SecondFactorEnabled)
        if not verdict.allowed:
            self._refuse(principal, verdict.told, client, WrongCode(_WRONG_CODE, field="/code"))
        self._security.told_by(principal, (*verdict.told, *noted), client)
        return codes

    def turn_off(self, principal: Principal, password: str, code: str, client: Client) -> None:
        """Takes one's own second factor away. Raises WrongPassword, WrongCode or SecondFactorOff."""
        user = principal.user
        right = self._credentials.verified(principal.tenant, user, password)
        keys = self._second_factors.keys(principal.tenant, user)
        noted: list[AccessEvent] = []
        with self._database.transaction(principal.tenant) as transaction:
            held = self._lockouts.hold(transaction, user)
            tried = right and not held.locked
            proof = self._second_factors.prove(transaction, user, code, keys) if tried else FAILED
            verdict = self._lockouts.verdict(transaction, user, held, right=proof.right)
            if verdict.allowed:
                noted = self._turned_off(transaction, user, proof.codes_left)
        if not verdict.allowed:
            # Behind a lock, the right password looks like a wrong one.
            wrong = (
                WrongCode(_WRONG_CODE, field="/code") if tried else WrongPassword(_WRONG_PASSWORD, field="/password")
            )
            self._refuse(principal, verdict.told, client, wrong)
        self._security.told_by(principal, (*verdict.told, *noted), client)

    def reset(self, tenant: UUID, user: UUID, actor: str, client: Client) -> bool:
        """Takes the second factor of a user away who lost it; whether they had one. Raises NotFound."""
        with self._database.transaction(tenant) as transaction:
            check_known(transaction, user)
            had = self._second_factors.remove(transaction, user)
        if had:
            self._security.note(tenant, user, (SecondFactorReset(),), actor, client)
        return had

    def _turned_off(self, transaction: Transaction, user: UUID, codes_left: int | None) -> list[AccessEvent]:
        """Raises SecondFactorOff where there is nothing to turn off: then nothing of all this happens."""
        if not self._second_factors.remove(transaction, user):
            raise SecondFactorOff("You have no second factor.")
        recovered: list[AccessEvent] = []
        if codes_left is not None:
            recovered = self._security.within_limit(transaction, user, RecoveryCodeUsed, left=codes_left)
        return recovered + self._security.within_limit(transaction, user, SecondFactorDisabled)

    def _refuse(
        self, principal: Principal, told: Sequence[AccessEvent], client: Client, wrong: WrongPassword | WrongCode
    ) -> None:
        self._security.note_later(principal.tenant, principal.user, told, client)
        raise wrong


_WRONG_PASSWORD = "The present password is another one."  # noqa: S105 - a sentence
_WRONG_CODE = "This is not the code that your device shows now, or it was used before: wait for the next one."
