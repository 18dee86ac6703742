"""The three lists name all that there is: a feature that a list misses would be there and do nothing."""

import importlib
import pkgutil

import api.app
import application.catalogue
import projections.catalogue
from domain import permissions
from domain.files.events import Host
from projections import ownership
from tests.architecture.sources import ROOT
from tests.domain.specification import commands_of


def _modules(package: str) -> list[str]:
    """All modules below a package of the product."""
    return [each.name for each in pkgutil.walk_packages([str(ROOT / package)], prefix=f"{package}.")]


def test_every_feature_of_the_domain_is_among_the_entities():
    listed = {entity.evolve.__module__ for entity in application.catalogue.ENTITIES.values()}

    missing = [name for name in _modules("domain") if name.endswith(".state") and name not in listed]

    assert not missing, "\n".join(
        f"{name.removesuffix('.state').replace('.', '/')} is not among the entities of application/catalogue.py"
        for name in missing
    )


def test_every_relational_projection_is_among_the_projections():
    listed = {each.name for each in projections.catalogue.RELATIONAL}
    found = set()
    for module in map(importlib.import_module, _modules("projections")):
        for thing in vars(module).values():
            own = isinstance(thing, type) and thing.__module__ == module.__name__
            projects = hasattr(thing, "project") and isinstance(getattr(thing, "tables", None), tuple | list)
            if projects and (own or not isinstance(thing, type)):
                found.add(thing.name)

    missing = sorted(found - listed)

    assert not missing, f"{', '.join(missing)} is not among the projections of projections/catalogue.py"
    assert listed <= found


def test_records_with_an_owner_are_seen_by_it_everywhere():
    """A kind that one of these lists misses would be everybody's there, and hidden elsewhere."""
    entities = application.catalogue.ENTITIES
    with_owner = {name for name, each in entities.items() if "owner" in each.state.__struct_fields__}

    assert with_owner == set(permissions.OWNED)
    assert with_owner == {name for name, each in entities.items() if each.owner is not None}
    assert with_owner == {each.entity for each in projections.catalogue.DIRECTORIES if each.owner is not None}
    assert set(entities) - with_owner == {*permissions.SHARED, *permissions.ATTACHED, "user", "tenant"}


def test_what_hangs_on_others_hangs_on_records_that_can_be_named_and_found():
    entities = application.catalogue.ENTITIES

    assert {name for name, each in entities.items() if each.host is not None} == set(permissions.ATTACHED)
    assert {name for name in Host if entities[name].facts is not None} == set(Host)
    assert set(Host) == set(ownership.DIRECTORIES)
    assert {each.entity: each.name for each in projections.catalogue.DIRECTORIES if each.entity in set(Host)} == (
        ownership.DIRECTORIES
    )


def test_a_permission_narrower_than_all_is_about_records_with_an_owner():
    narrowed = {
        permission
        for permission, held in permissions.RIGHTS.items()
        if any(scope is not permissions.Scope.ALL for scope in held.values())
    }

    assert {each.partition(":")[0] for each in narrowed} == {
        *(*permissions.OWNED, *permissions.ATTACHED),
        *("analytics", "audit"),
    }
    for record in (*permissions.OWNED, *permissions.ATTACHED, "analytics", "audit"):
        assert permissions.RIGHTS[f"{record}:read"] == permissions.READS


def test_every_command_needs_a_permission_of_the_table_or_of_the_operator():
    for entity in application.catalogue.ENTITIES.values():
        for command in commands_of(entity):
            assert command.PERMISSION in {*permissions.RIGHTS, "tenant:create", "tenant:manage"}


def test_every_controller_is_among_the_controllers():
    listed = {each.__name__ for each in api.app.CONTROLLERS}
    modules = [name for name in _modules("api") if name != "api.app" and not name.startswith("api.commandline")]
    found = {name for name in modules if hasattr(importlib.import_module(name), "OPERATIONS")}

    missing = sorted(found - listed)

    assert not missing, "\n".join(
        f"{name.replace('.', '/')}.py is not among the controllers of api/app.py" for name in missing
    )
    assert listed == found


def test_every_entity_but_the_platforms_tenants_can_be_reached_over_http():
    reached = {each.RECORDS.entity for each in api.app.CONTROLLERS if hasattr(each, "RECORDS")}

    assert reached == set(application.catalogue.ENTITIES) - {"tenant"}
