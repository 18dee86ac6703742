"""Loki and the shipper of its logs, as far as they can be judged without them."""

import json
import logging
import re

from api.logs import JsonLines
from infrastructure.log_context import about
from tests.monitoring.files import MONITORING, loaded

ALLOY = (MONITORING / "alloy" / "config.alloy").read_text()
_COMPONENT = re.compile(r'^([a-z]+(?:\.[a-z]+)+) "(\w+)" \{$', re.MULTILINE)
_REFERENCE = re.compile(r"= \[?((?:discovery|loki)(?:\.\w+)+)\.(?:targets|output|receiver)\b")
FEW_VALUED = {"process", "level"}


def test_loki_keeps_lines_for_a_time_and_searches_ids_beside_them():
    loki = loaded(MONITORING / "loki" / "loki.yml")
    assert loki["limits_config"]["retention_period"] == "720h"
    # Retention is the compactor's work, and needs to be told where deletions are noted.
    assert loki["compactor"]["retention_enabled"] is True
    assert loki["compactor"]["delete_request_store"] == "filesystem"
    [schema] = loki["schema_config"]["configs"]
    # Structured metadata needs this schema and store.
    assert (schema["schema"], schema["store"]) == ("v13", "tsdb")
    assert schema["index"]["period"] == "24h"
    assert loki["limits_config"]["allow_structured_metadata"] is True


def test_the_shipper_sends_to_loki_from_component_to_component():
    components = {f"{kind}.{name}" for kind, name in _COMPONENT.findall(ALLOY)}
    references = set(_REFERENCE.findall(ALLOY))
    assert references <= components
    assert components - references == {"loki.source.docker.clientforge"}
    assert ALLOY.count("{") == ALLOY.count("}")
    loki = loaded(MONITORING / "loki" / "loki.yml")
    assert f"http://loki:{loki['server']['http_listen_port']}/loki/api/v1/push" in ALLOY


def test_labels_have_few_values():
    shipped = set(re.findall(r'target_label\s*= "(\w+)"', ALLOY)) | _names(_block("stage.labels"))
    assert shipped == FEW_VALUED
    assert {"tenant", "request", "actor"} <= _names(_block("stage.structured_metadata"))


def test_what_is_read_from_a_line_is_in_our_lines():
    record = logging.LogRecord("clientforge.access", logging.INFO, "", 0, "request", (), None)
    vars(record).update(route="/api/v1/deals", status=200)
    with about(request="a", correlation="b", tenant="c", actor="d"):
        line = json.loads(JsonLines().format(record))
    assert _names(_block("stage.json")) <= line.keys()
    taken = _names(_block("stage.labels")) | _names(_block("stage.structured_metadata"))
    assert taken <= _names(_block("stage.json"))


def _block(name: str) -> str:
    """What stands between the braces of a stage's only attribute."""
    return ALLOY[ALLOY.index(f"{name} {{") :].split("= {", 1)[1].split("}", 1)[0]


def _names(block: str) -> set[str]:
    return set(re.findall(r"(\w+)\s*= \"", block))
