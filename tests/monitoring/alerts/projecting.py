"""Alerts about queues, processes, projections and the log."""

from tests.monitoring.alerts import Case, Input, Values

_HOUR = 3600


def _gauge(series: str, bad: Values, well: Values, after: str = "3m") -> Case:
    return Case(fires={series: bad}, quiet=({series: well},), after=after)


def _restarting(kind: str) -> Case:
    """Three restarts within a quarter of an hour, not two: a roll-out restarts a process once."""
    started = f'clientforge_process_start_time_seconds{{kind="{kind}"}}'
    return Case(fires={started: "100x10 200x10 300x10 400xN"}, quiet=({started: "100x20 200x20 300xN"},), after="12m")


def _task(task: str, longest: float) -> Case:
    """Done too long ago, and never; while Redis is away, nobody knows."""
    age, queue = f'clientforge_upkeep_age_seconds{{task="{task}"}}', "clientforge_queue_up"
    return Case(
        fires={age: longest + 1, queue: 1}, quiet=({age: longest, queue: 1}, {queue: 0}), after="20m", every="1m"
    )


def _appends(quick: str) -> Input:
    bucket = "clientforge_append_duration_seconds_bucket"
    return {f'{bucket}{{le="0.25"}}': quick, f'{bucket}{{le="0.5"}}': "0+100xN", f'{bucket}{{le="+Inf"}}': "0+100xN"}


def _conflicts(number: str) -> Input:
    conflicts = 'clientforge_append_conflicts_total{conflict="VersionConflict"}'
    return {conflicts: number, "clientforge_appends_total": "0+100xN"}


def _processor(used: str) -> Input:
    return {'clientforge_process_cpu_seconds_total{kind="api"}': used, 'clientforge_processes{kind="api"}': 2}


CASES = {
    "DeadLetters": _gauge('clientforge_dead_letters{queue="projections"}', 1, 0),
    "QueueBacklog": _gauge('clientforge_queue_depth{queue="projections"}', 1001, 1000),
    "QueueStalled": _gauge('clientforge_queue_oldest_seconds{queue="projections"}', 301, 300),
    "MessagesFailing": _gauge('clientforge_queue_delayed{queue="projections"}', 51, 50),
    "NoWorker": _gauge("clientforge_workers", 0, 1),
    "WorkerCrashing": _restarting("worker"),
    "SweeperSilent": Case(
        fires={"clientforge_sweeper_age_seconds": 61, "clientforge_queue_up": 1},
        quiet=(
            {"clientforge_sweeper_age_seconds": 60, "clientforge_queue_up": 1},
            {"clientforge_queue_up": 0},
        ),
    ),
    "ProcessRestarting": _restarting("api"),
    "ProcessDown": _gauge('up{job="sweeper"}', 0, 1),
    "ProcessMemoryHigh": _gauge('clientforge_process_resident_memory_bytes{kind="api"}', 1e9 + 1, 1e9, "11m"),
    # Of two processes, each of which may use one processor: 15 s of 30 s is half.
    "ProcessCpuHigh": Case(fires=_processor("0+27.5xN"), quiet=(_processor("0+26.5xN"),), after="22m"),
    "OpenFilesHigh": _gauge('clientforge_process_open_fds{kind="api"}', 801, 800, "11m"),
    "ProjectionParked": _gauge('clientforge_projection_parked_tenants{projection="deals"}', 1, 0, "1m"),
    "ProjectionLagging": _gauge('clientforge_projection_lag_seconds{projection="deals"}', 61, 60),
    "ProjectionLagLong": _gauge('clientforge_projection_lag_seconds{projection="deals"}', 601, 600),
    "ProjectionRetrying": _gauge('clientforge_projection_retrying_tenants{projection="search"}', 1, 0, "11m"),
    "LagUnreadable": _gauge("clientforge_monitor_up", 0, 1),
    "ChainBroken": _gauge('clientforge_upkeep_ok{task="chain_verification"}', 0, 1, "1m"),
    "ChainNotVerified": _task("chain_verification", 26 * _HOUR),
    "BackupFailed": _gauge('clientforge_upkeep_ok{task="backup"}', 0, 1, "1m"),
    "BackupStale": _task("backup", 26 * _HOUR),
    "RecoveryDrillFailed": _gauge('clientforge_upkeep_ok{task="recovery_drill"}', 0, 1, "1m"),
    "RecoveryDrillOverdue": _task("recovery_drill", 100 * 24 * _HOUR),
    "AppendsSlow": Case(fires=_appends("0+94xN"), quiet=(_appends("0+96xN"),), after="16m"),
    "AppendConflictsHigh": Case(fires=_conflicts("0+51xN"), quiet=(_conflicts("0+49xN"),), after="16m"),
}

NEVER = {
    "SweeperSilent": Case(fires={"clientforge_queue_up": 1}, quiet=()),
    **{
        name: Case(fires={"clientforge_queue_up": 1}, quiet=(), after="20m", every="1m")
        for name in ("ChainNotVerified", "BackupStale", "RecoveryDrillOverdue")
    },
}
"""What was never done is told by nothing but its absence."""
