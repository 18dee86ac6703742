"""Builds Litestar over an application: the list of controllers, and what surrounds them."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import chain

from litestar import Litestar
from litestar.exceptions import HTTPException

from api import (
    accounts,
    analytics,
    api_keys,
    audit,
    auth,
    browsing,
    contacts,
    deals,
    documentation,
    files,
    health,
    keys_of_users,
    link_pages,
    pipelines,
    products,
    recovery,
    search,
    second_factor,
    signing_up,
    tenant,
    users,
)
from api.client_address import ClientAddresses
from api.crossing import cross_origin
from api.long_operations import LongOperations
from api.observing import Observing
from api.openapi import document
from api.operations import Operation
from api.problems import on_http_exception, on_refused, on_store_away, on_took_too_long, on_unexpected
from api.published_password import PUBLISHED_PASSWORD
from api.routing import route
from api.services import Profiles, Services
from application.filing import Filing
from application.handling import Handler
from domain.kernel import Refused
from infrastructure.api_keys import ApiKeys
from infrastructure.bootstrap import Application, build
from infrastructure.counted import counted
from infrastructure.credentials import Credentials
from infrastructure.enrolments import Enrolments
from infrastructure.file_bytes import FilesDirectory
from infrastructure.keys_of_users import KeysOfUsers
from infrastructure.lockouts import Lockouts
from infrastructure.passwords import Passwords
from infrastructure.pulse import Pulse
from infrastructure.rate_limits import RateLimits
from infrastructure.recovery import Recovery
from infrastructure.second_factors import SecondFactors
from infrastructure.security_log import SecurityLog
from infrastructure.sessions import Sessions
from infrastructure.settings import Settings
from infrastructure.signing import Signer
from infrastructure.storage_ledger import PostgresLedger
from infrastructure.telemetry import Telemetry
from infrastructure.tokens import AccessTokens
from projections.freshness import Freshness
from projections.ports import NotPublished, StoreAway, TookTooLong

PREFIX = "/api/v1"

CONTROLLERS = (
    *(auth, browsing, second_factor, recovery, signing_up, api_keys, keys_of_users, tenant),
    *(accounts, contacts, products, pipelines, deals, users, files),
    *(analytics, search, audit),
)

OPERATIONS: Sequence[Operation] = tuple(chain.from_iterable(each.OPERATIONS for each in CONTROLLERS))


def load(settings: Settings) -> Litestar:
    """The API of a process of its own."""
    application = build(settings, query_seconds=settings.query_seconds, telemetry=Telemetry())
    return create(application, on_close=application.close)


def create(application: Application, *, on_close: Callable[[], None] = lambda: None) -> Litestar:
    """The API over an application, which stays the caller's unless `on_close` closes it."""
    services = _services(application)
    gauges = application.gauges()
    pulse = Pulse(services.telemetry, "api", application.pools)

    def close() -> None:
        services.shut_down()
        services.security.close()
        pulse.close()
        gauges.close()
        on_close()

    app = Litestar(
        [
            *(route(services, operation, PREFIX) for operation in OPERATIONS),
            *health.routes(services, gauges.collectors),
            *documentation.routes(document(OPERATIONS, PREFIX), services),
            *link_pages.routes(),
        ],
        exception_handlers={
            Refused: on_refused,
            HTTPException: on_http_exception,
            TookTooLong: on_took_too_long,
            StoreAway: on_store_away,
            NotPublished: on_store_away,
            Exception: on_unexpected,
        },
        openapi_config=None,
        cors_config=cross_origin(application.settings.cors_origins),
        logging_config=None,
        request_max_body_size=application.settings.largest_body_bytes,
        on_shutdown=[close],
    )
    app.asgi_handler = Observing(app.asgi_handler, services.telemetry)
    return app


def _services(application: Application) -> Services:
    settings, database, telemetry = application.settings, application.database, application.telemetry or Telemetry()
    store = counted(application.store, telemetry)
    handler = Handler(store, application.announcements)
    access_tokens = _access_tokens(settings)
    sessions = Sessions(database, access_tokens, grace=timedelta(seconds=settings.refresh_grace_seconds))
    security = SecurityLog(
        database,
        store,
        application.announcements,
        per_hour=settings.security_events_per_hour,
        on_noted=lambda type: telemetry.security_events.labels(type).inc(),
    )
    lockouts = Lockouts(failures=settings.log_in_failures, window=timedelta(seconds=settings.lockout_seconds))
    handler = Handler(store, application.announcements)
    second_factors = SecondFactors(database, application.keyring)
    credentials = Credentials(
        database, store, application.tenancy, sessions, _passwords(settings), security, second_factors, lockouts
    )
    rate_limits = RateLimits(
        application.redis,
        settings,
        on_fallback=lambda name: telemetry.limited_by_process.labels(name).inc(),
        prefix=settings.redis_prefix,
    )
    return Services(
        settings=settings,
        database=database,
        store=store,
        keys=application.store,
        handler=handler,
        tenancy=application.tenancy,
        profiles=Profiles(application.tenancy, time.monotonic),
        sessions=sessions,
        credentials=credentials,
        recovery=Recovery(
            database,
            store,
            application.tenancy,
            handler,
            credentials,
            security,
            rate_limits,
            application.announcements.mail,
            settings,
        ),
        second_factors=second_factors,
        enrolments=Enrolments(database, credentials, second_factors, sessions, lockouts, security),
        security=security,
        access_tokens=access_tokens,
        api_keys=ApiKeys(database),
        keys_of_users=KeysOfUsers(database, security),
        csrf=Signer(settings.jwt_secret.get_secret_value(), "csrf"),
        cursors=Signer(settings.jwt_secret.get_secret_value(), "cursors"),
        freshness=Freshness(database, application.search, application.positions),
        search=application.search,
        trail=application.trail,
        telemetry=telemetry,
        rate_limits=rate_limits,
        addresses=ClientAddresses(settings.trusted_proxies),
        long_operations=LongOperations(settings.long_operations),
        uploads=LongOperations(settings.uploads_at_once, "uploads"),
        filing=Filing(application.store, handler, FilesDirectory(settings.files_dir), PostgresLedger(database)),
        dependencies=application.pings,
        threads=ThreadPoolExecutor(settings.api_threads, "requests"),
        password_threads=ThreadPoolExecutor(4, "passwords"),
        admission_threads=ThreadPoolExecutor(4, "admission"),
        file_threads=ThreadPoolExecutor(4, "files"),
        probe_threads=ThreadPoolExecutor(4, "probes"),
    )


def _passwords(settings: Settings) -> Passwords:
    """Those of a developer's first admin, in whatever tenant, open nothing in production."""
    return Passwords(opens_nothing=(PUBLISHED_PASSWORD,) if settings.environment == "production" else ())


def _access_tokens(settings: Settings) -> AccessTokens:
    previous = settings.jwt_secret_previous
    return AccessTokens(settings.jwt_secret.get_secret_value(), previous.get_secret_value() if previous else None)
