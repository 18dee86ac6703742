"""People with a second factor, and the devices that show its codes."""

import time
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pyotp

from tests.api.stand import PASSWORD, Company, Person
from tests.api.test_logging_in import log_in, with_password


@dataclass
class Device:
    """What shows codes. Its clock may be ahead by some steps of 30 seconds."""

    secret: str

    def code(self, ahead: int = 0) -> str:
        return pyotp.TOTP(self.secret).at(time.time(), counter_offset=ahead)

    def wrong_code(self) -> str:
        """A code that no step nearby has."""
        near = {self.code(ahead) for ahead in range(-3, 4)}
        return next(text for number in range(10) if (text := f"{number:06}") not in near)


@dataclass
class Enrolled(Person):
    """A user with a second factor."""

    company: Company
    device: Device
    recovery_codes: list[str]

    def logs_in(self, code: str | None = None, password: str = PASSWORD) -> Any:
        return log_in(self.company, self.email, password, code=code)

    def has_not_used_a_code_lately(self) -> None:
        """So that the code of now counts."""
        with self.company.application.database.transaction(self.company.profile.id) as transaction:
            transaction.execute(
                "UPDATE second_factors SET last_step = last_step - 10"
                " WHERE tenant_id = %(tenant)s AND user_id = %(user)s",
                {"user": self.id},
            )


def logged_in(company: Company, role: str = "rep") -> Person:
    """A user with a password, and a session of it."""
    email, id = with_password(company, role=role)
    return Person(company.client, UUID(id), email, log_in(company, email).json()["access_token"])


def enrolled(company: Company, role: str = "rep") -> Enrolled:
    """A user who set a second factor up. The code of now confirmed it, so the next one is that of one step ahead."""
    person = logged_in(company, role)
    begun = person.post("/auth/second-factor", {"password": PASSWORD})
    assert begun.status_code == 200, begun.text
    device = Device(begun.json()["secret"])
    confirmed = person.post("/auth/second-factor/confirm", {"code": device.code()})
    assert confirmed.status_code == 200, confirmed.text
    codes = confirmed.json()["recovery_codes"]
    return Enrolled(person.client, person.id, person.email, person.token, company, device, codes)
