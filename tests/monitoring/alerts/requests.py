"""Alerts about how the API answers."""

from tests.monitoring.alerts import Case, Input, Values

_SHORT = {"after": "11m"}
_ROUTES = {"GET": "/api/v1/deals", "POST": "/api/v1/deals", "OPTIONS": "/api/v1/deals", "SEARCH": "/api/v1/search"}


def _answered(kind: str, good: Values, all_of_them: Values, bound: str) -> Input:
    """Requests of which so many take `bound` seconds at most."""
    labels = f'method="{kind.replace("SEARCH", "GET")}",route="{_ROUTES[kind]}"'
    bucket = "clientforge_http_request_duration_seconds_bucket"
    return {
        f'{bucket}{{{labels},le="{bound}"}}': good,
        f'{bucket}{{{labels},le="2.5"}}': all_of_them,
        f'{bucket}{{{labels},le="+Inf"}}': all_of_them,
        f"clientforge_http_request_duration_seconds_count{{{labels}}}": all_of_them,
        f'clientforge_http_requests_total{{{labels},status="200"}}': all_of_them,
    }


def _failing(good: Values, bad: Values) -> Input:
    requests = 'clientforge_http_requests_total{method="GET",route="/api/v1/deals",'
    return {f'{requests}status="200"}}': good, f'{requests}status="500"}}': bad}


def _busy(answered: Values, seconds: Values) -> Input:
    labels = 'method="GET",route="/api/v1/deals"'
    return {
        f'clientforge_http_requests_total{{{labels},status="200"}}': answered,
        f"clientforge_http_request_duration_seconds_sum{{{labels}}}": seconds,
    }


def _preflights(bound: str) -> Input:
    """What browsers ask before they write: quick, and nothing that failures and slow writes should be a share of."""
    return _answered("OPTIONS", "0+900xN", "0+900xN", bound)


def _slow(kind: str, bound: str) -> Case:
    """The 95th percentile is above the level when more than 5 % are slower than it. Few requests at night are none."""
    return Case(
        fires={**_answered(kind, "0+94xN", "0+100xN", bound), **_preflights(bound)},
        quiet=(
            _answered(kind, "0+96xN", "0+100xN", bound),
            _answered(kind, 0, "0+1xN", bound),
        ),
        **_SHORT,
    )


CASES = {
    "GetLatencyHigh": _slow("GET", "0.3"),
    "WriteLatencyHigh": _slow("POST", "0.8"),
    "SearchLatencyHigh": _slow("SEARCH", "0.15"),
    # Errors are a share: the same number of them is a fault among few requests, and none among many.
    "ErrorShareHigh": Case(
        fires={**_failing("0+97xN", "0+3xN"), **_preflights("0.3")},
        quiet=(_failing("0+98xN", "0+2xN"), _failing("0+970xN", "0+3xN"), _failing(0, "0+1xN")),
        **_SHORT,
    ),
    # 40 requests in a second of 125 ms each: five are in progress. At night there are few, and quick ones may be many.
    "ThroughputLow": Case(
        fires=_busy("0+600xN", "0+75xN"),
        quiet=(_busy("0+15xN", "0+3xN"), _busy("0+600xN", "0+45xN"), _busy("0+765xN", "0+90xN")),
        **_SHORT,
    ),
    # A short fault is told by one window and not by the other; one that is over is told by none.
    "ErrorBudgetBurnsFast": Case(
        fires={**_failing("0+84xN", "0+16xN"), **_preflights("0.3")},
        quiet=(
            _failing("0+86xN", "0+14xN"),
            _failing("0+80x50 4000+100xN", "0+20x50 1000+0xN"),
            _failing("0+100x65 6500+80xN", "0+0x65 0+20xN"),
        ),
        after="75m",
        every="1m",
    ),
    # Hours without a request, before the first one or between two, spend nothing.
    "ErrorBudgetBurns": Case(
        fires=_failing("0+93xN", "0+7xN"),
        quiet=(
            _failing("0+95xN", "0+5xN"),
            _failing("0+90x150 13500+100xN", "0+10x150 1500+0xN"),
            _failing("_x175 0+600xN", "_xN"),
            _failing("0+600x140 _x35 0+600xN", "_xN"),
        ),
        after="6h10m",
        every="2m",
    ),
    "ErrorBudgetBurnsSlowly": Case(
        fires=_failing("0+985xN", "0+15xN"),
        quiet=(_failing("0+991xN", "0+9xN"),),
        after="74h",
        every="2m",
        evaluated="4m",
    ),
    "LatencyBudgetBurnsFast": Case(
        fires=_answered("GET", "0+84xN", "0+100xN", "0.3"),
        quiet=(_answered("GET", "0+86xN", "0+100xN", "0.3"), _answered("POST", "0+30xN", "0+100xN", "0.5")),
        after="75m",
        every="1m",
    ),
    "LatencyBudgetBurns": Case(
        fires={**_answered("POST", "0+69xN", "0+100xN", "0.5"), **_preflights("0.5")},
        quiet=(_answered("POST", "0+71xN", "0+100xN", "0.5"),),
        after="6h10m",
        every="2m",
    ),
    "LatencyBudgetBurnsSlowly": Case(
        fires=_answered("SEARCH", "0+94xN", "0+100xN", "0.1"),
        quiet=(_answered("SEARCH", "0+96xN", "0+100xN", "0.1"),),
        after="74h",
        every="2m",
        evaluated="4m",
    ),
    "ApiDown": Case(
        fires={'up{job="api"}': 0},
        quiet=({'up{job="api",instance="one"}': 0, 'up{job="api",instance="two"}': 1},),
    ),
    "StaleReads": Case(
        fires={
            'clientforge_stale_reads_total{route="/api/v1/deals"}': "0+6xN",
            'clientforge_http_requests_total{method="GET",route="/api/v1/deals",status="200"}': "0+100xN",
        },
        quiet=(
            {
                'clientforge_stale_reads_total{route="/api/v1/deals"}': "0+4xN",
                'clientforge_http_requests_total{method="GET",route="/api/v1/deals",status="200"}': "0+100xN",
            },
        ),
        **_SHORT,
    ),
}
