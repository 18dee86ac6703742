"""Alerts about security and machines."""

from tests.monitoring.alerts import Case, Input, Values

_DISK = 'device="/dev/vda1",fstype="ext4",mountpoint="/"'
_LOG_INS = "clientforge_log_ins_total{outcome="
_TEMPORARY = 'device="tmpfs",fstype="tmpfs",mountpoint="/run"'


def _grown(series: str, bad: Values, well: Values, after: str = "5m50s") -> Case:
    """Counters that have grown within the last minutes, by a bit more and a bit less than what is too much. Looked at
    between two scrapes, when increase() makes the most of what it sees."""
    return Case(fires={series: bad}, quiet=({series: well},), after=after, evaluated="10s")


def _noted(event: str, bad: Values, well: Values) -> Case:
    return _grown(f'clientforge_security_events_total{{type="access.{event}.v1"}}', bad, well, after="15m50s")


def _disk(free: int) -> Input:
    return {f"node_filesystem_avail_bytes{{{_DISK}}}": free, f"node_filesystem_size_bytes{{{_DISK}}}": 100}


_FULL_OF_SOMETHING_ELSE: Input = {
    f"node_filesystem_avail_bytes{{{_TEMPORARY}}}": 1,
    f"node_filesystem_size_bytes{{{_TEMPORARY}}}": 100,
}


def _idle(cpu: str) -> Input:
    return {
        'node_cpu_seconds_total{cpu="0",mode="idle"}': cpu,
        'node_cpu_seconds_total{cpu="1",mode="idle"}': cpu,
    }


def _available(bytes: int) -> Input:
    return {"node_memory_MemAvailable_bytes": bytes, "node_memory_MemTotal_bytes": 100}


CASES = {
    # Being asked for the second factor is no failure.
    "LogInFailuresHigh": Case(
        fires={f'{_LOG_INS}"wrong_credentials"}}': "9x10 60xN"},
        quiet=(
            {f'{_LOG_INS}"wrong_credentials"}}': "9x10 59xN"},
            {f'{_LOG_INS}"second_factor_required"}}': "0+30xN", f'{_LOG_INS}"ok"}}': "0+30xN"},
        ),
        after="5m50s",
        evaluated="10s",
    ),
    "AccountsLockedOut": _noted("locked", "9x30 13xN", "9x30 12xN"),
    "RefreshTokenReused": _noted("refresh_token_reused", "0x30 1xN", 1),
    "ForbiddenRequestsHigh": _noted("request_forbidden", "9x30 40xN", "9x30 39xN"),
    "LogInsThrottled": _grown('clientforge_rate_limit_refusals_total{limit="login"}', "9x10 30xN", "9x10 29xN"),
    "RateLimitFallbacks": _grown('clientforge_rate_limit_fallbacks_total{limit="general"}', "0x10 1xN", 1),
    "DiskFilling": Case(fires=_disk(14), quiet=(_disk(15), _FULL_OF_SOMETHING_ELSE), after="6m"),
    "DiskFull": Case(fires=_disk(4), quiet=(_disk(5), _FULL_OF_SOMETHING_ELSE), after="6m"),
    "HostCpuHigh": Case(fires=_idle("0+2.2xN"), quiet=(_idle("0+2.3xN"),), after="22m"),
    "HostMemoryHigh": Case(fires=_available(9), quiet=(_available(10),), after="6m"),
    "ExporterDown": Case(fires={'up{job="postgres"}': 0}, quiet=({'up{job="postgres"}': 1},), after="6m"),
    "LokiDown": Case(fires={'up{job="loki"}': 0}, quiet=({'up{job="loki"}': 1},), after="6m"),
}
