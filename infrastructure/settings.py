"""Everything that can be set, from the environment and `.env`: one frozen object."""

import base64
import binascii
import os
import re
from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from domain.tenants.events import Plan
from infrastructure.addresses import is_sender
from infrastructure.hardening import weaknesses

_ORIGIN = re.compile(r"https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?")
RateClass = Literal["general", "auth", "login", "search", "upload", "ai"]
RATE_CLASSES: tuple[RateClass, ...] = get_args(RateClass)
"""The kinds of operations that are limited apart from one another."""


def rate_limit(value: str) -> str:
    """The text, if it is one limit in limits' notation that lets something pass. Raises ValueError."""
    from limits import parse_many  # noqa: PLC0415 - most processes limit nothing

    try:
        [limit] = parse_many(value)
    except ValueError:
        raise ValueError("must be one limit such as '300 per 15 minutes'") from None
    if not limit.amount or not limit.get_expiry():
        raise ValueError("must allow one request at least")
    return value


def _listed(value: object) -> object:
    return [each.strip() for each in value.split(",") if each.strip()] if isinstance(value, str) else value


FILE_TYPES = (
    "application/pdf",
    "image/png",
    "image/jpeg",
    "image/gif",
    "image/webp",
    "image/tiff",
    "image/heif",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "application/vnd.oasis.opendocument.text",
    "application/vnd.oasis.opendocument.spreadsheet",
    "application/vnd.oasis.opendocument.presentation",
    "text/plain",
    "text/csv",
)
"""Documents, images and texts that run nothing by themselves when they are opened."""

MediaType = Annotated[str, Field(pattern=r"^[a-z0-9.+-]+/[a-z0-9.+-]+$")]
Port = Annotated[int, Field(ge=0, le=65535)]
RateLimit = Annotated[str, AfterValidator(rate_limit)]
Networks = Annotated[tuple[IPv4Network | IPv6Network, ...], NoDecode, BeforeValidator(_listed)]


class InvalidSettings(Exception):
    """The environment doesn't say what the process needs; the message lists all that is wrong."""


class Settings(BaseSettings):
    """The settings; each field is the environment variable of the same name in capitals."""

    model_config = SettingsConfigDict(env_file=".env", extra="ignore", frozen=True)

    environment: Literal["development", "test", "production"] = "development"
    port: Port = 3000
    host: str = "127.0.0.1"

    public_url: str | None = None
    """Where people reach this server, such as https://crm.example.com."""
    cors_origins: Annotated[tuple[str, ...], NoDecode] = ()
    """Whose pages may read what the API answers, between commas."""
    request_header_seconds: float = Field(10.0, gt=0)
    """How long a request's headers may take to arrive."""
    request_body_seconds: float = Field(30.0, gt=0)
    """How long its body may take."""
    answer_seconds: float = Field(30.0, gt=0)
    """The spans in which it is measured what a client takes of its answers."""
    slowest_reader: int = Field(1000, ge=1)
    """Bytes per second that a client takes in each of these spans while something waits for it, or it is cut off."""

    database_url: SecretStr
    """The application's role."""
    database_owner_url: SecretStr | None = None
    """The owner's role: migrations."""
    database_monitor_url: SecretStr | None = None
    """The monitor's role: sweeper, metrics."""
    database_connections: int = Field(16, ge=1)
    """Connections of a pool at most: an API process has one pool, a worker and a sweeper have two each."""
    database_prepare_threshold: int | None = None
    """Set it only behind no pooler, or PgBouncer 1.21 or newer with max_prepared_statements."""
    redis_url: SecretStr = SecretStr("redis://127.0.0.1:6379/0")
    redis_prefix: str = "{clientforge}"
    """Before every key in Redis; the braces keep all keys in one slot of a cluster."""
    elasticsearch_url: SecretStr | None = None
    """Without it, search is kept in PostgreSQL."""
    elasticsearch_prefix: str = "clientforge"
    elasticsearch_shards: int = Field(1, ge=1, le=1024)
    """Primary shards of the indices that are made from now on; each tenant is in one of them."""
    mongodb_url: SecretStr | None = None
    """Without it, the audit trail is kept in PostgreSQL."""

    jwt_secret: SecretStr
    jwt_secret_previous: SecretStr | None = None
    """What signed access tokens until a moment ago: they stay valid while it is set."""
    master_key: SecretStr
    default_tenant: str | None = None
    """A subdomain: whose log-in it is where none is named."""

    log_in_failures: int = Field(5, ge=1)
    """Failed log-ins in a row that lock an account."""
    lockout_seconds: int = Field(900, ge=1)
    """How long a lock lasts, and after which time failures are forgotten."""
    refresh_grace_seconds: float = Field(10.0, ge=0)
    """How long a refresh token that was used gives the same new one again: for parallel requests and lost answers."""
    security_events_per_hour: int = Field(60, ge=1)
    """What one user causes by themselves and becomes an event, such as log-ins: of each kind so many in an hour."""

    smtp_host: str | None = None
    """Whom mail is given to. Without it, mail goes into MAIL_DIRECTORY; without that, none is sent."""
    smtp_port: Port = 587
    smtp_user: str | None = None
    smtp_password: SecretStr | None = None
    smtp_tls: Literal["starttls", "tls", "none"] = "starttls"
    """`tls` from the first byte on (port 465), `starttls` before anything is said (587), or `none`."""
    smtp_seconds: float = Field(10.0, gt=0)
    """How long the SMTP server may take for each answer."""
    mail_from: str | None = Field(None, validate_default=True)
    """The sender, such as `ClientForge <crm@example.com>`."""
    mail_directory: Path | None = None
    """Where mail is left as files while there is no SMTP server: for development."""
    mails_per_hour: int = Field(5, ge=1)
    """Mails with links that go to one address of one tenant within an hour."""
    password_reset_seconds: int = Field(3600, ge=60)
    """How long the link of a mail is good for: this one, that of a verification, and that of an invitation."""
    verification_seconds: int = Field(86_400, ge=60)
    invitation_seconds: int = Field(604_800, ge=60)
    sign_up: bool = False
    """Whether anybody may make a tenant of their own."""

    drain_seconds: float = Field(0.0, ge=0)
    """How long the API serves on after SIGTERM, while /ready is 503: until balancers have noticed."""
    api_processes: int = Field(1, ge=1)
    api_threads: int = Field(16, ge=1)
    """Threads of one API process that run handlers."""
    worker_processes: int = Field(1, ge=1)
    worker_threads: int = Field(6, ge=1)
    worker_timeout_ms: int = Field(20, ge=1)
    """The longest that an idle worker waits before it looks at its queue again."""
    projection_batch: int = Field(1000, ge=1)
    """Events that a projector reads at a time."""
    retry_base_seconds: float = Field(2.0, gt=0)
    """The first delay after a failed projection; it doubles with each further one."""
    retry_limit: int = Field(5, ge=0)
    """Retries of an event that can't be applied, before its projection is parked."""
    sweep_seconds: float = Field(1.0, gt=0)
    read_your_writes_seconds: float = Field(2.0, ge=0)
    """How long a query waits for the reader's own last write before it answers without it."""

    rate_limit_general: RateLimit = "300 per 15 minutes"
    """Requests per user and per client address, as all the others of these."""
    rate_limit_auth: RateLimit = "20 per minute"
    rate_limit_login: RateLimit = "5 per minute"
    """Log-ins per client address, and per tenant and e-mail address."""
    rate_limit_search: RateLimit = "120 per minute"
    rate_limit_upload: RateLimit = "30 per minute"
    rate_limit_ai: RateLimit = "100 per hour"
    rate_limit_plans: Mapping[Plan, Mapping[RateClass, RateLimit]] = {}
    """Where a plan's limits differ: `{"enterprise": {"general": "3000 per 15 minutes"}}`."""
    trusted_proxies: Networks = ()
    """Networks of proxies whose X-Forwarded-For is believed, with commas between them."""
    largest_body_bytes: int = Field(1_000_000, ge=1)
    query_seconds: float = Field(10.0, ge=0.001)
    """How long a query of the API may run in PostgreSQL."""
    long_operations: int = Field(8, ge=1)
    """Searches and reports that one tenant may have running in one API process at the same time."""

    files_dir: Path = Path("files")
    """Where files' bytes are: a directory that all processes share and no web server serves."""
    largest_file_bytes: int = Field(100_000_000, ge=1)
    file_types: Annotated[tuple[MediaType, ...], NoDecode, BeforeValidator(_listed)] = FILE_TYPES
    """What a file may be by its content, with commas between them."""
    slowest_upload: int = Field(10_000, ge=1)
    """Bytes per second that an upload brings on average, after the time that any body has."""
    uploads_at_once: int = Field(8, ge=1)
    """Uploads that one tenant may have under way in one API process."""
    upload_leftover_seconds: float = Field(3600.0, ge=0)
    """After how long without a new byte the sweeper clears away what a process that died has left of an upload."""

    metrics_token: SecretStr | None = None
    """What a scraper of /metrics must know. In production the API shows its metrics to nobody else."""
    metrics_port: Port = 0
    """Where each of serve, worker and sweeper shows its metrics besides, without a token; 0: nowhere."""
    metrics_host: str = "127.0.0.1"

    backup_dir: Path | None = None
    """Where backups are kept."""
    backup_keys_dir: Path | None = None
    """Where the keys to the personal data in them are kept; without it, in `keys` of the same directory."""
    backup_recipients: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_listed)] = ()
    """Public keys (age1…) of those who can open a backup, with commas between them."""
    backup_identity: SecretStr | None = None
    """The private key that opens backups: only where they are verified or restored."""
    backup_keep_newest: int = Field(3, ge=1)
    """Backups that are kept: the newest ones, and the last ones of days, weeks and months."""
    backup_keep_daily: int = Field(7, ge=0)
    backup_keep_weekly: int = Field(5, ge=0)
    backup_keep_monthly: int = Field(12, ge=0)
    drill_server_url: SecretStr | None = None
    """A superuser's URL on a PostgreSQL server where recoveries are rehearsed; without it, one is started for that."""

    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @field_validator("jwt_secret", "jwt_secret_previous")
    @classmethod
    def _long_enough(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value()) < 32:
            raise ValueError("must be at least 32 characters long")
        return value

    @field_validator("master_key")
    @classmethod
    def _is_a_key(cls, value: SecretStr) -> SecretStr:
        try:
            key = base64.b64decode(value.get_secret_value(), validate=True)
        except (binascii.Error, ValueError) as error:
            raise ValueError("must be base64") from error
        if len(key) != 32:
            raise ValueError("must be 32 bytes in base64")
        return value

    @field_validator("public_url")
    @classmethod
    def _is_an_origin(cls, value: str | None) -> str | None:
        if value is not None and not _ORIGIN.fullmatch(value.rstrip("/")):
            raise ValueError("must be like https://crm.example.com")
        return value and value.rstrip("/")

    @field_validator("cors_origins", mode="before")
    @classmethod
    def _are_origins(cls, value: object) -> object:
        origins = [each.strip() for each in value.split(",") if each.strip()] if isinstance(value, str) else value
        if isinstance(origins, list | tuple):
            for each in origins:
                if not _ORIGIN.fullmatch(str(each)):
                    raise ValueError("must be origins like https://app.example.com between commas; * is none")
        return origins

    @field_validator("mail_from")
    @classmethod
    def _is_a_sender(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None and info.data.get("smtp_host"):
            raise ValueError("must say whom mail comes from, such as 'ClientForge <crm@example.com>'")
        if value is not None and not is_sender(value):
            raise ValueError("must be an address, such as 'ClientForge <crm@example.com>'")
        return value

    @property
    def sends_mail(self) -> bool:
        """Whether mail goes anywhere: to an SMTP server, or into files."""
        return self.smtp_host is not None or self.mail_directory is not None

    @property
    def links_at(self) -> str:
        """What links in mails begin with. Never what a request says of its host: that is its sender's choice."""
        return self.public_url or f"http://localhost:{self.port}"

    @property
    def is_https(self) -> bool:
        """Whether people reach this server by HTTPS, as far as it was told."""
        return self.public_url is not None and self.public_url.startswith("https://")

    @property
    def master_key_bytes(self) -> bytes:
        """The master key: 32 bytes."""
        return base64.b64decode(self.master_key.get_secret_value())

    @classmethod
    def load(cls, **overrides: Any) -> Self:
        """The settings. Raises InvalidSettings, which names every variable that is wrong, and no secret.

        In production that includes whatever is too weak for it.
        """
        try:
            settings = cls(**overrides)
        except ValidationError as error:
            lines = [
                f"{'.'.join(map(str, each['loc'])).upper()}: {each['msg'].removeprefix('Value error, ')}"
                for each in error.errors(include_url=False, include_input=False)
            ]
            raise InvalidSettings("\n".join(lines)) from None
        if settings.environment == "production" and (weak := weaknesses(settings)):
            raise InvalidSettings("\n".join(weak))
        return settings

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What counts first: arguments, the environment, files that it names, `.env`."""
        return init_settings, env_settings, _NamedFiles(settings_cls), dotenv_settings


class _NamedFiles(PydanticBaseSettingsSource):
    """Secrets in files: JWT_SECRET_FILE names the file that JWT_SECRET is read from, and so for every setting. An empty
    file sets nothing: it is there for what may be filled in later."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """The content of the file that is named for a field; None without one, and for an empty one."""
        path = os.environ.get(f"{field_name.upper()}_FILE")
        return (Path(path).read_text().strip() or None if path else None), field_name, False

    def __call__(self) -> dict[str, Any]:
        """The settings that come from files. Raises InvalidSettings for a file that can't be read."""
        found = {}
        for name, field in self.settings_cls.model_fields.items():
            try:
                value, _, _ = self.get_field_value(field, name)
            except (OSError, UnicodeDecodeError) as error:
                raise InvalidSettings(f"{name.upper()}_FILE: the file can't be read: {type(error).__name__}") from None
            if value is not None:
                found[name] = value
        return found
