"""The layers hold: what may import what."""

import os
import subprocess
import sys

from tests.architecture.sources import ROOT, modules

COMPOSITION_ROOT = "infrastructure.bootstrap"
PROCESSES = ("api.serving", "infrastructure.worker", "infrastructure.sweeper")
MAY_COMPOSE = ("api.app", "api.commandline", *PROCESSES, COMPOSITION_ROOT)
DOMAIN_MAY_IMPORT = sys.stdlib_module_names | {"msgspec", "domain"}


def test_every_import_contract_is_kept():
    linter = (
        "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_logo=True, no_cache=True))"
    )
    environment = {**os.environ, "COLUMNS": "200"}
    checked = subprocess.run(
        [sys.executable, "-c", linter], cwd=ROOT, capture_output=True, text=True, check=False, env=environment
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_domain_imports_no_third_party_but_msgspec():
    foreign = {
        f"{module.name} imports {imported}"
        for module in modules("domain")
        for imported in module.imports()
        if imported.split(".")[0] not in DOMAIN_MAY_IMPORT
    }
    assert foreign == set()


def test_only_entry_points_import_the_composition_root():
    others = {
        module.name
        for module in modules()
        if any(imported.startswith(COMPOSITION_ROOT) for imported in module.imports())
        and not any(module.name == allowed or module.name.startswith(f"{allowed}.") for allowed in MAY_COMPOSE)
    }
    assert others == set()


def test_every_directory_with_modules_is_a_package():
    bare = {module.path.parent for module in modules() if not (module.path.parent / "__init__.py").exists()}
    assert bare == set()


def test_modules_are_named_after_what_they_hold():
    vague = {"utils", "util", "helpers", "helper", "base", "manager", "managers", "common", "misc"}
    assert {module.name for module in modules() if module.name.split(".")[-1] in vague} == set()
