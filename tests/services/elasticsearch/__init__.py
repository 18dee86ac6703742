"""Elasticsearch 9 from its published libraries, as one node on 127.0.0.1. Needs Maven and a JDK 21 or newer."""

import os
import re
import shutil
import signal
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from infrastructure.embedded import Child, ServerDidNotStart, free_port
from tests.services.availability import Unavailable
from tests.services.cache import cached, run_showing_progress

HERE = Path(__file__).parent
VERSION = "9.5.3"
OLDEST_JAVA = 21
MODULE = "transport-netty4"
DESCRIPTOR = f"""\
name={MODULE}
description=HTTP and transport over Netty
version={VERSION}
elasticsearch.version={VERSION}
java.version={OLDEST_JAVA}
classname=org.elasticsearch.transport.netty4.Netty4Plugin
modulename=
extended.plugins=
has.native.controller=false
"""
ATTEMPTS_AT_A_FREE_PORT = 3


def prepare() -> Path:
    """Download and lay out Elasticsearch, unless the cache has it; raises Unavailable."""
    java = find_jdk()
    maven = shutil.which("mvn")
    if maven is None:
        raise Unavailable(f"Elasticsearch {VERSION} needs Maven (mvn)")
    sources = [HERE / "pom.xml", HERE / "Launcher.java", HERE / "log4j2.properties", Path(__file__)]
    return cached("elasticsearch", sources, lambda home: _lay_out(home, maven, java))


def _lay_out(home: Path, maven: str, java: Path) -> None:
    """Make a home as the full distribution has it: the netty module apart from the core's libraries."""
    library, module = home / "lib", home / "modules" / MODULE
    module.mkdir(parents=True)
    # Maven on the JDK that was found: the first `java` of the machine may be older or missing.
    run_showing_progress(
        f"Downloading Elasticsearch {VERSION} (44 MB)",
        [
            maven,
            "--batch-mode",
            "-Dstyle.color=never",
            "dependency:copy-dependencies",
            f"-DoutputDirectory={library}",
            "-DincludeScope=runtime",
        ],
        directory=HERE,
        environment={"JAVA_HOME": str(java)},
    )
    for jar in [*library.glob("netty-*.jar"), *library.glob(f"{MODULE}-*.jar")]:
        jar.rename(module / jar.name)
    (module / "plugin-descriptor.properties").write_text(DESCRIPTOR)
    (home / "config").mkdir()
    (home / "config" / "elasticsearch.yml").touch()
    shutil.copy(HERE / "log4j2.properties", home / "config")
    compiler: list[str | Path] = [java / "bin" / "javac", "-cp", f"{library}/*", "-d", home / "classes"]
    subprocess.run([*compiler, HERE / "Launcher.java"], check=True)


def find_jdk() -> Path:
    """The home of a JDK that is new enough: JAVA_HOME's, else the newest where systems keep theirs."""
    given = [Path(os.environ["JAVA_HOME"])] if os.environ.get("JAVA_HOME") else []
    on_path = shutil.which("javac")
    elsewhere = [
        *Path("/usr/lib/jvm").glob("*"),
        *Path("/opt").glob("*jdk*"),
        *Path.home().glob(".sdkman/candidates/java/*"),
    ]
    elsewhere += Path("/Library/Java/JavaVirtualMachines").glob("*/Contents/Home")
    if on_path is not None:
        elsewhere.append(Path(on_path).resolve().parent.parent)
    for home in [*given, *sorted(elsewhere, key=_version, reverse=True)]:
        if _version(home) >= OLDEST_JAVA:
            return home
    raise Unavailable(f"Elasticsearch {VERSION} needs a JDK {OLDEST_JAVA} or newer: set JAVA_HOME")


def _version(home: Path) -> int:
    """The feature release of the JDK in `home`, or 0 when there is none (or only a runtime without compiler)."""
    try:
        release = (home / "release").read_text()
    except OSError:
        return 0
    found = re.search(r'^JAVA_VERSION="(\d+)', release, re.MULTILINE)
    return int(found.group(1)) if found and (home / "bin" / "javac").exists() else 0


class Elasticsearch:
    """A running node; its data lies in `directory`."""

    def __init__(self, directory: Path) -> None:
        self._home, self._java = prepare(), find_jdk()
        self._directory = directory
        self._child: Child | None = None
        self.url = ""

    def __enter__(self) -> Self:
        directory = self._directory
        directory.mkdir(parents=True, exist_ok=True)
        for attempt in range(ATTEMPTS_AT_A_FREE_PORT):
            port = free_port()
            self.url = f"http://127.0.0.1:{port}"
            log = directory / f"server-{attempt}.log"
            command = list(self._command(port))
            self._child = Child("Elasticsearch", command, log=log, directory=directory, death_signal=signal.SIGKILL)
            try:
                self._child.start(lambda: answers(self.url), within=120)
            except ServerDidNotStart as failure:
                if "BindHttpException" not in str(failure) or attempt == ATTEMPTS_AT_A_FREE_PORT - 1:
                    raise
            else:
                break
        return self

    def __exit__(self, *_: object) -> None:
        if self._child is not None:
            self._child.stop(within=5)

    def _command(self, port: int) -> Iterator[str | Path]:
        yield self._java / "bin" / "java"
        # The optimising compiler would take more time of a test run, on few cores, than it could ever give back.
        yield "-XX:TieredStopAtLevel=1"
        yield from ("-Xms512m", "-Xmx512m", "--enable-native-access=ALL-UNNAMED", "--add-modules=jdk.incubator.vector")
        yield from ("-cp", f"{self._home / 'classes'}:{self._home / 'lib'}/*")
        yield from ("Launcher", self._home, self._directory / "data", str(port))


def answers(url: str) -> bool:
    """Whether a node answers at `url`."""
    try:
        with urllib.request.urlopen(f"{url}/_cluster/health", timeout=5) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False
