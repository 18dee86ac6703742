"""Codes of a second factor: those that a device shows for half a minute (TOTP, RFC 6238), and those for losing it."""

import re
import secrets
from base64 import b32encode
from hashlib import sha256

import pyotp
from pyotp.exceptions import OTPVerificationError

RECOVERY_CODES = 10
"""How many a user gets at a time."""

_SKEW = 1
"""Steps of 30 seconds that a device's clock may be off, either way."""
_SECRET_BYTES = 20
"""As many as SHA-1 gives: RFC 4226, section 4."""
_RECOVERY_BYTES = 10
"""80 bits: nobody finds one by trying, so its hash needs no salt and no slowness."""
_SHOWN_BY_DEVICES = re.compile(r"[0-9]{6}")
_BETWEEN = re.compile(r"[\s-]+")


def new_secret() -> str:
    """What a device and the server share, in base32."""
    return b32encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def enrolment_uri(secret: str, *, account: str, issuer: str) -> str:
    """The otpauth address that apps read, as a QR code or a link."""
    return pyotp.TOTP(secret).provisioning_uri(name=account, issuer_name=issuer)


def step_of(secret: str, code: str, *, now: float | None = None) -> int | None:
    """The step of 30 seconds whose code this is, near `now` (seconds of the Unix epoch); None: it is another code."""
    typed = _BETWEEN.sub("", code)
    if not _SHOWN_BY_DEVICES.fullmatch(typed):
        return None
    try:
        return pyotp.TOTP(secret).verify_and_get_timecode(typed, for_time=now, valid_window=_SKEW)
    except OTPVerificationError:
        return None


def new_recovery_codes() -> list[str]:
    """Codes to be printed: four groups of four letters and digits."""
    texts = [b32encode(secrets.token_bytes(_RECOVERY_BYTES)).decode() for _ in range(RECOVERY_CODES)]
    return ["-".join(text[start : start + 4] for start in range(0, len(text), 4)) for text in texts]


def recovery_hash(code: str) -> bytes:
    """What is stored of a recovery code, however it is written."""
    return sha256(_BETWEEN.sub("", code).upper().encode("utf-8", "surrogatepass")).digest()
