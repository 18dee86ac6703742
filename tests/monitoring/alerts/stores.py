"""Alerts about PostgreSQL, Redis, Elasticsearch and MongoDB."""

from tests.monitoring.alerts import Case, Input, Values

_STATEMENT = 'user="clientforge_app",datname="clientforge",queryid="42"'
_SESSIONS = 'datname="clientforge",usename="clientforge_app",server="db:5432",state='
_NODE = 'cluster="search",name="one",mount="/data",path="/data"'


def _gauge(series: str, bad: Values, well: Values, after: str = "3m") -> Case:
    return Case(fires={series: bad}, quiet=({series: well},), after=after)


def _share(part: str, whole: str, bad: Values, well: Values, of: Values = 100) -> Case:
    return Case(fires={part: bad, whole: of}, quiet=({part: well, whole: of},), after="6m")


def _slow(store: str, bound: str) -> Case:
    def asked(quick: str) -> Input:
        bucket = f'clientforge_store_request_duration_seconds_bucket{{store="{store}",le='
        return {f'{bucket}"{bound}"}}': quick, f'{bucket}"5"}}': "0+100xN", f'{bucket}"+Inf"}}': "0+100xN"}

    return Case(fires=asked("0+94xN"), quiet=(asked("0+96xN"),), after="16m")


def _statements(seconds: str) -> Input:
    return {
        f"pg_stat_statements_seconds_total{{{_STATEMENT}}}": seconds,
        f"pg_stat_statements_calls_total{{{_STATEMENT}}}": "0+10xN",
    }


def _connections(active: int, idle: int) -> Input:
    return {
        f'pg_stat_activity_count{{{_SESSIONS}"active"}}': active,
        f'pg_stat_activity_count{{{_SESSIONS}"idle"}}': idle,
        'pg_settings_max_connections{server="db:5432"}': 100,
    }


def _pool(in_use: int) -> Input:
    """One pool in use beside another that has nothing to do."""
    return {
        'clientforge_pool_connections{pool="application",state="in_use"}': in_use,
        'clientforge_pool_connections{pool="application",state="idle"}': 16 - in_use,
        'clientforge_pool_connections_limit{pool="application"}': 16,
        'clientforge_pool_connections{pool="engine",state="in_use"}': 0,
        'clientforge_pool_connections_limit{pool="engine"}': 16,
    }


CASES = {
    "PostgresqlUnreachable": _gauge('clientforge_store_up{store="postgresql"}', 0, 1),
    "PostgresqlDown": _gauge("pg_up", 0, 1),
    "PostgresqlSlow": _slow("postgresql", "0.25"),
    "SlowQueries": Case(fires=_statements("0+10.1xN"), quiet=(_statements("0+9.9xN"),), after="16m"),
    "LongTransaction": _gauge(f'pg_stat_activity_max_tx_duration{{{_SESSIONS}"active"}}', 1801, 1800),
    "DatabasePoolExhausted": _gauge('clientforge_pool_requests_waiting{pool="engine"}', 1, 0),
    "DatabasePoolNearlyFull": Case(fires=_pool(15), quiet=(_pool(14),), after="6m"),
    "PostgresqlConnectionsHigh": Case(fires=_connections(31, 50), quiet=(_connections(30, 50),), after="6m"),
    "ReplicationLag": Case(
        fires={"pg_replication_lag_seconds": 31, "pg_replication_is_replica": 1},
        quiet=(
            {"pg_replication_lag_seconds": 30, "pg_replication_is_replica": 1},
            {"pg_replication_lag_seconds": 31, "pg_replication_is_replica": 0},
        ),
        after="6m",
    ),
    "AuditStoreUnreachable": _gauge('clientforge_store_up{store="audit"}', 0, 1),
    "MongodbDown": _gauge("mongodb_up", 0, 1),
    "RedisUnreachable": _gauge('clientforge_store_up{store="redis"}', 0, 1),
    "RedisDown": _gauge("redis_up", 0, 1),
    # Without a limit there is no share of it.
    "RedisMemoryHigh": Case(
        fires={"redis_memory_used_bytes": 91, "redis_memory_max_bytes": 100},
        quiet=(
            {"redis_memory_used_bytes": 90, "redis_memory_max_bytes": 100},
            {"redis_memory_used_bytes": 91, "redis_memory_max_bytes": 0},
        ),
        after="6m",
    ),
    "RedisAofFailing": Case(
        fires={"redis_aof_last_write_status": 0, "redis_aof_last_bgrewrite_status": 1},
        quiet=({"redis_aof_last_write_status": 1, "redis_aof_last_bgrewrite_status": 1},),
    ),
    "RedisAofOff": _gauge("redis_aof_enabled", 0, 1, "6m"),
    "RedisSlow": _slow("redis", "0.05"),
    "SearchUnreachable": _gauge('clientforge_store_up{store="search"}', 0, 1),
    "ElasticsearchRed": _gauge('elasticsearch_cluster_health_status{cluster="search",color="red"}', 1, 0),
    "ElasticsearchYellow": _gauge(
        'elasticsearch_cluster_health_status{cluster="search",color="yellow"}', 1, 0, after="16m"
    ),
    "ElasticsearchDiskFilling": _share(
        f"elasticsearch_filesystem_data_available_bytes{{{_NODE}}}",
        f"elasticsearch_filesystem_data_size_bytes{{{_NODE}}}",
        bad=14,
        well=15,
    ),
    "ElasticsearchDiskFull": _share(
        f"elasticsearch_filesystem_data_available_bytes{{{_NODE}}}",
        f"elasticsearch_filesystem_data_size_bytes{{{_NODE}}}",
        bad=9,
        well=10,
    ),
    "SearchIndexSlow": _slow("search", "0.15"),
}
