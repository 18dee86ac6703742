"""The rules of tenants."""

import pytest

from application.catalogue import ENTITIES
from domain.kernel import AlreadyExists, Claim, Invalid, NotFound
from domain.tenants.commands import ActivateTenant, DeactivateTenant, EditTenant, RegisterTenant, claims
from domain.tenants.events import Plan, TenantActivated, TenantDeactivated, TenantEdited, TenantRegistered
from tests.domain.specification import fold, given

ACME = TenantRegistered(
    name="Acme", subdomain="acme", plan=Plan.STARTER, max_users=5, storage_gb=10, settings={"digest": True}
)


def test_a_tenant_starts_small_in_utc():
    given().when(RegisterTenant(name="Acme", subdomain="acme")).then(
        TenantRegistered(name="Acme", subdomain="acme", plan=Plan.STARTER, max_users=5, storage_gb=10, time_zone="UTC")
    )


def test_a_tenant_is_registered_once():
    given(ACME).when(RegisterTenant(name="Acme", subdomain="acme")).then_refused(AlreadyExists)


@pytest.mark.parametrize("command", [EditTenant(), DeactivateTenant(), ActivateTenant()])
def test_a_tenant_that_is_not_there_is_not_found(command):
    given().when(command).then_refused(NotFound)


def test_editing_records_only_what_changes():
    given(ACME).when(EditTenant(name="Acme", plan=Plan.ENTERPRISE, max_users=None)).then(
        TenantEdited(plan=Plan.ENTERPRISE, max_users=None)
    )
    given(ACME).when(EditTenant(name="Acme")).then_nothing()


def test_an_edit_changes_single_settings():
    given(ACME).when(EditTenant(settings={"theme": "dark"})).then(
        TenantEdited(settings={"digest": True, "theme": "dark"})
    )
    given(ACME).when(EditTenant(settings={"digest": None})).then(TenantEdited(settings={}))
    given(ACME).when(EditTenant(settings={"digest": True, "theme": None})).then_nothing()


@pytest.mark.parametrize("time_zone", ["Mars/Olympus", "Europe", "../etc/passwd", "", "Europe/Paris\n"])
def test_a_time_zone_is_one_of_iana(time_zone):
    command = RegisterTenant(name="A", subdomain="a", time_zone=time_zone)
    given().when(command).then_refused(Invalid, "/time_zone")
    given(ACME).when(EditTenant(time_zone=time_zone)).then_refused(Invalid, "/time_zone")


def test_known_time_zones_are_taken():
    given(ACME).when(EditTenant(time_zone="Europe/Paris")).then(TenantEdited(time_zone="Europe/Paris"))


def test_the_billing_address_is_checked():
    given(ACME).when(EditTenant(billing_email="nobody")).then_refused(Invalid, "/billing_email")


def test_control_characters_are_refused():
    given(ACME).when(EditTenant(settings={"theme": "\x00"})).then_refused(Invalid, "/settings/theme")
    given(ACME).when(EditTenant(settings={"\x00": "dark"})).then_refused(Invalid, "/settings")


def test_deactivating_and_activating():
    given(ACME).when(DeactivateTenant()).then(TenantDeactivated())
    given(ACME, TenantDeactivated()).when(DeactivateTenant()).then_nothing()
    given(ACME, TenantDeactivated()).when(ActivateTenant()).then(TenantActivated())
    given(ACME).when(ActivateTenant()).then_nothing()
    assert fold(ENTITIES["tenant"], ACME, TenantDeactivated()).archived
    assert not fold(ENTITIES["tenant"], ACME, TenantDeactivated(), TenantActivated()).archived


def test_a_deactivated_tenant_can_still_be_edited_by_the_operator():
    given(ACME, TenantDeactivated()).when(EditTenant(plan=Plan.CUSTOM)).then(TenantEdited(plan=Plan.CUSTOM))


def test_the_subdomain_is_claimed():
    assert claims(fold(ENTITIES["tenant"], ACME)) == {Claim("tenant.subdomain", "acme")}


@pytest.mark.parametrize("name", ["platform", "01920000-0000-7000-8000-000000000001", "0" * 32])
def test_a_subdomain_is_no_name_that_means_something_else(name):
    given().when(RegisterTenant(name="A", subdomain=name)).then_refused(Invalid, "/subdomain")
    given(ACME).when(EditTenant(subdomain=name)).then_refused(Invalid, "/subdomain")
