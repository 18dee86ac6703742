"""What `clientforge up` shows: the lines of its processes, and at last how to use what runs."""

import json
import os
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from typing import TYPE_CHECKING

from api.commandline.seeding import EMAIL, PASSWORD

if TYPE_CHECKING:
    from api.commandline.firstuse import FirstTenant
    from infrastructure.datadir import DataDirectory

_WIDTH = 8
_COLOURS = {"serve": 36, "worker": 32, "sweeper": 35, "postgres": 34, "redis": 31}
_one_at_a_time = threading.Lock()


def say(name: str, line: str) -> None:
    """Prints a line of a process behind its name. A terminal that has gone holds nobody up."""
    label = f"{name:<{_WIDTH}} |"
    if sys.stdout.isatty() and "NO_COLOR" not in os.environ:
        label = f"\x1b[{_COLOURS.get(name, 33)}m{label}\x1b[0m"
    with suppress(OSError, ValueError), _one_at_a_time:
        print(label, readable(line), flush=True)


def readable(line: str) -> str:
    """A log line that is a JSON object, for people; any other as it is."""
    try:
        said = json.loads(line)
        told = f"{said.pop('time')[11:19]} {said.pop('level'):<7} {said.pop('message')}"
    except (ValueError, AttributeError, KeyError, TypeError):
        return line
    exception = said.pop("exception", None)
    said.pop("logger", None)
    details = "".join(f" {name}={value}" for name, value in said.items())
    return f"{told}{details}" + (f"\n{exception}" if exception else "")


def address(values: Mapping[str, str]) -> tuple[str, int]:
    """Where this machine reaches the API."""
    host = values["HOST"]
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), int(values["PORT"])  # noqa: S104


def answers(values: Mapping[str, str]) -> bool:
    """Whether the API answers."""
    connection = HTTPConnection(*address(values), timeout=2)
    try:
        connection.request("GET", "/live")
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def announce(place: "DataDirectory", values: Mapping[str, str], first: "FirstTenant") -> None:
    """Says where the system is, how to log in, and what to try first."""
    host, port = address(values)
    url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    with suppress(OSError, ValueError), _one_at_a_time:
        told = _TEXT.format(
            url=url, directory=place.path, mail=_mail(values), log_in=_log_in(first), query=_query(url, first)
        )
        print(told, flush=True)


_TEXT = """
ClientForge is running: {url}

{log_in}
  The API explained    {url}/api/docs
  Data and settings    {directory} (clientforge.env)
  Mail                 {mail}

  A first query to paste:

{query}

  Ctrl-C stops it.
"""


def _mail(values: Mapping[str, str]) -> str:
    if directory := values.get("MAIL_DIRECTORY"):
        return f"as files in {directory}: set SMTP_HOST to have it sent"
    return "by SMTP_HOST, where that is set: without it, none is sent"


def _log_in(first: "FirstTenant") -> str:
    if first.admin is None:
        return (
            f"  Log in               With ENVIRONMENT=production nobody has the published password. Make an admin:\n"
            f"                       clientforge seed admin --tenant {first.subdomain} --email YOU --ask\n"
        )
    if first.default_password:
        return (
            f"  Log in as            {EMAIL} / {PASSWORD}  (tenant '{first.subdomain}')\n"
            "  CHANGE THE PASSWORD  POST /api/v1/auth/change-password: this one is published.\n"
        )
    return f"  Log in as            {EMAIL}, with your password  (tenant '{first.subdomain}')\n"


def _query(url: str, first: "FirstTenant") -> str:
    password = PASSWORD if first.default_password else "YOUR PASSWORD"
    return "\n".join(
        (
            f"    TOKEN=$(curl -s {url}/api/v1/auth/login -H 'Content-Type: application/json' \\",
            f"""      -d '{{"email": "{EMAIL}", "password": "{password}"}}' \\""",
            """      | sed 's/.*"access_token":"\\([^"]*\\)".*/\\1/')""",
            f"""    curl -s -H "Authorization: Bearer $TOKEN" {url}/api/v1/analytics/pipeline""",
        )
    )
