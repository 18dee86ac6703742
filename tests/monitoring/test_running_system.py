"""What rules, panels and documents say about metrics is true of the running system."""

from collections.abc import Iterator
from contextlib import closing

import pytest
from uuid_utils.compat import uuid7

from infrastructure.embedded.child import free_port
from infrastructure.wakeups import WakeUps
from tests.fixtures import copied
from tests.journeys.relay import Relay
from tests.monitoring.files import ALERTS, CONFIGURATION, Asked, asked_of_prometheus, loaded
from tests.monitoring.measured import Series, missing, series
from tests.monitoring.metrics_table import described, documented
from tests.monitoring.scraper import Prometheus, prometheus, soon
from tests.monitoring.watched import TOKEN, Watched, put_a_load_on, watched

_MOST = "clientforge_pool_connections_limit"


@pytest.fixture(scope="module")
def running(
    postgres, migrated_template, redis_url, elasticsearch_url, mongodb_url, tmp_path_factory
) -> Iterator[Watched]:
    urls = copied(postgres.superuser_url, migrated_template)
    place = tmp_path_factory.mktemp("watched")
    with closing(Relay(elasticsearch_url)) as search, watched(urls, redis_url, search, mongodb_url, place) as system:
        put_a_load_on(system)
        yield system


@pytest.fixture(scope="module")
def ours(running) -> Series:
    """What the system measures."""
    return series(*running.scraped())


@pytest.fixture(scope="module")
def scraper(running, prometheus_programs, tmp_path_factory) -> Iterator[Prometheus]:
    jobs = {job["job_name"]: free_port() for job in loaded(CONFIGURATION)["scrape_configs"]}
    place = tmp_path_factory.mktemp("prometheus")
    with prometheus(prometheus_programs, {**jobs, **running.ports}, TOKEN, place) as server:
        yield server


def test_no_rule_and_no_panel_asks_for_what_nobody_measures(ours):
    assert missing(asked_of_prometheus(), ours) == []


@pytest.mark.parametrize(
    ("expr", "complaint"),
    [
        ("bull_queue_waiting > 1000", "nothing is named bull_queue_waiting"),
        ('clientforge_store_up{store="mongo"} == 0', "no series of clientforge_store_up"),
        ("sum by (tenant) (clientforge_queue_depth)", "a label tenant"),
        ('pg_up{database="x"} == 0', "pg_up has no label database"),
        ("rate(clientforge:requests[5m])", "nothing is named clientforge:requests"),
        ('class:clientforge_http_request_duration_seconds:p95_5m{class="nobody"} > 1', "no series of class:"),
        ('slo:clientforge_burn:rate1h{slo="latency"} > 1', "no series of slo:clientforge_burn:rate1h"),
        ('store:clientforge_store_request_duration_seconds:p95_5m{store="postgres"} > 1', "no series of store:"),
        ('up{job="postgresql"} == 0', "the job postgresql"),
        ('up{job=~"node|cache"} == 0', "the job cache"),
    ],
)
def test_what_nobody_measures_is_found_out(ours, expr, complaint):
    [told] = missing([Asked("a rule", expr)], ours)
    assert complaint in told


def test_the_documents_list_every_metric_with_its_labels_and_its_meaning(ours, running):
    assert documented() == described(running.scraped())


def test_every_process_tells_of_every_pool_that_it_has(running):
    told = [{labels["pool"] for labels in series(text)[_MOST]} for text in running.scraped()]
    assert told == [{"application"}, {"application", "engine"}, {"application", "engine"}]


def test_prometheus_reaches_every_process_and_evaluates_every_rule(scraper):
    def up() -> set[str]:
        return {each["metric"]["job"] for each in scraper.get("query", query="up == 1")["result"]}

    assert soon(lambda: up() == {"api", "worker", "sweeper"})
    assert {rule.name for rule in ALERTS} <= set(scraper.health())
    assert soon(lambda: set(scraper.health().values()) == {"ok"}), scraper.health()


def test_prometheus_tells_of_a_parked_projection(scraper):
    assert soon(lambda: "ProjectionParked" in scraper.firing())
    parked = scraper.firing()["ProjectionParked"]
    assert parked["labels"]["projection"] == "deals"
    assert parked["labels"]["severity"] == "critical"
    assert "deals" in parked["annotations"]["summary"]
    assert "an event of 1 tenants" in parked["annotations"]["description"]


def test_prometheus_tells_of_a_backlog_while_there_is_one(scraper, running):
    assert soon(scraper.firing)
    assert "QueueBacklog" not in scraper.firing()
    with running.halted(), running.redis as client:
        assert WakeUps(client, prefix=running.prefix).wake(("relational", uuid7()) for _ in range(1001))
        assert soon(lambda: "QueueBacklog" in scraper.firing())
        assert "1001 messages wait" in scraper.firing()["QueueBacklog"]["annotations"]["description"]
        running.forget_the_queue()
    assert soon(lambda: "QueueBacklog" not in scraper.firing())


def test_no_text_of_an_alert_that_fires_could_not_be_put_together(scraper):
    assert soon(lambda: len(scraper.firing()) >= 3)
    for name, alert in scraper.firing().items():
        assert not [text for text in alert["annotations"].values() if "error expanding" in text], name
