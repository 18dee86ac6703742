"""The log of the API's processes: JSON lines on standard output."""

import json
import logging
import time
from typing import Any

from api.redacting import redacted
from infrastructure.log_context import present


class JsonLines(logging.Formatter):
    """A log line as a JSON object: time, level, logger, message, the ids of what is at work, and what the caller
    added."""

    ADDED = (
        *("method", "route", "status", "ms"),
        *("tenant", "group", "after", "until", "failed", "requests", "correlations", "actors", "more"),
    )

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its line feed."""
        line = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": redacted(record.getMessage()),
            **present(),
            **{name: getattr(record, name) for name in self.ADDED if hasattr(record, name)},
        }
        if record.exc_info:
            line["exception"] = redacted(self.formatException(record.exc_info))
        return json.dumps(line, ensure_ascii=False, default=str)


def logging_as_json(level: str) -> dict[str, Any]:
    """What `logging.config.dictConfig` needs, for a server and its workers."""
    to_console = {"handlers": ["console"], "level": level.upper(), "propagate": False}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": JsonLines}},
        "handlers": {"console": {"formatter": "json", "class": "logging.StreamHandler", "stream": "ext://sys.stdout"}},
        "root": {"handlers": ["console"], "level": level.upper()},
        "loggers": {
            "_granian": to_console,
            "granian.access": to_console,
            # It tells of each request, with the tenant in its address.
            "elastic_transport": {"level": "WARNING"},
        },
    }
