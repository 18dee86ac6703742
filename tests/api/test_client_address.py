"""Whose request it is: X-Forwarded-For counts only as far as trusted proxies wrote it."""

from ipaddress import ip_network

import pytest

from api.client_address import ClientAddresses, network_of
from infrastructure.settings import InvalidSettings, Settings
from tests.api.doors import at, opened
from tests.fixtures import MASTER_KEY

TRUSTED = (ip_network("10.0.0.0/8"), ip_network("2001:db8:a::/48"))
CLIENT, PROXY = "203.0.113.7", "10.0.0.1"


@pytest.mark.parametrize(
    ("peer", "header", "address"),
    [
        (CLIENT, [], CLIENT),
        (CLIENT, ["198.51.100.1"], CLIENT),
        (PROXY, [], PROXY),
        (PROXY, [CLIENT], CLIENT),
        (PROXY, [f"198.51.100.1, {CLIENT}"], CLIENT),
        (PROXY, [f"198.51.100.1, {CLIENT}, 10.9.9.9"], CLIENT),
        (PROXY, ["198.51.100.1", CLIENT], CLIENT),
        (PROXY, ["10.1.1.1, 10.2.2.2"], "10.1.1.1"),
        (PROXY, [f"{CLIENT}:4711"], CLIENT),
        (PROXY, ["[2001:db8::1]:4711"], "2001:db8::1"),
        (PROXY, ["2001:DB8:0:0::1"], "2001:db8::1"),
        (PROXY, [f"::ffff:{CLIENT}"], CLIENT),
        (f"::ffff:{PROXY}", [CLIENT], CLIENT),
        ("2001:db8:a::1", [CLIENT], CLIENT),
        (PROXY, [f"{CLIENT}, unknown"], PROXY),
        (PROXY, [f"{CLIENT}, "], PROXY),
        (PROXY, [f"{CLIENT}, 10.2.2.2, rubbish \x00\xff, 10.1.1.1"], "10.1.1.1"),
        (PROXY, [f"{CLIENT}, 999.1.1.1"], PROXY),
        (PROXY, [f"{CLIENT}, fe80::1%{'x' * 5000}"], PROXY),
        (PROXY, [",".join(["1.1.1.1", *["10.1.1.1"] * 5000])], "10.1.1.1"),
        ("no address", [CLIENT], "no address"),
        (None, [CLIENT], None),
    ],
)
def test_the_address_is_the_last_one_that_no_trusted_proxy_has(peer, header, address):
    assert ClientAddresses(TRUSTED).of(peer, header) == address


def test_nobody_is_trusted_unless_told():
    assert ClientAddresses().of(PROXY, [CLIENT]) == PROXY


def test_hosts_of_one_ipv6_network_are_limited_as_one():
    assert network_of("2001:db8:1:2:3::4") == network_of("2001:db8:1:2:ffff::") == "2001:db8:1:2::/64"
    assert network_of("2001:db8:1:3::4") != network_of("2001:db8:1:2::4")
    assert (network_of(CLIENT), network_of(None)) == (CLIENT, "unknown")


def test_the_audit_trail_tells_the_same_address(application, acme):
    with opened(application, peer=PROXY, trusted_proxies=TRUSTED) as client:
        headers = {"X-Forwarded-For": f"198.51.100.1, {CLIENT}"}
        made = at(client, acme.rep).ask("POST", "/accounts", {"name": "A"}, headers=headers)
    [recorded] = application.store.stream(acme.profile.id, f"account-{made.json()['id']}")
    assert application.store.open_address(recorded) == CLIENT


def test_proxies_are_networks_with_commas_between_them(monkeypatch):
    told = {"_env_file": None, "database_url": "x", "jwt_secret": "x" * 32, "master_key": MASTER_KEY}
    monkeypatch.setenv("TRUSTED_PROXIES", "10.0.0.0/8, 2001:db8:a::/48")
    assert Settings.load(**told).trusted_proxies == TRUSTED
    monkeypatch.setenv("TRUSTED_PROXIES", "")
    assert Settings.load(**told).trusted_proxies == ()
    monkeypatch.setenv("TRUSTED_PROXIES", "10.0.0.1/8")
    with pytest.raises(InvalidSettings, match="TRUSTED_PROXIES"):
        Settings.load(**told)
