"""Whose request it is, behind proxies: X-Forwarded-For is believed as far as trusted proxies wrote it."""

import re
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Address = IPv4Address | IPv6Address

_MOST_HOPS = 50
_WITH_PORT = re.compile(r"\[([0-9A-Fa-f:.]+)\](?::\d{1,5})?|(\d{1,3}(?:\.\d{1,3}){3}):\d{1,5}")


class ClientAddresses:
    """Finds the address of the client, given which networks are those of one's own proxies."""

    def __init__(self, trusted: Sequence[IPv4Network | IPv6Network] = ()) -> None:
        self._trusted = trusted

    def of(self, peer: str | None, forwarded_for: Sequence[str]) -> str | None:
        """The client's address: the peer's, unless the peer is a trusted proxy. Then the rightmost one of the header's
        that isn't a trusted proxy's: what stands left of it, the client may have written itself.

        A proxy that names no address counts as the client: its word is all there is.
        """
        address = _address(peer or "")
        if address is None or not self._is_trusted(address):
            return str(address) if address else peer
        hops = ",".join(forwarded_for).rsplit(",", _MOST_HOPS)[-_MOST_HOPS:]
        for hop in reversed(hops):
            named = _address(hop.strip())
            if named is None:
                break
            address = named
            if not self._is_trusted(address):
                break
        return str(address)

    def _is_trusted(self, address: Address) -> bool:
        return any(address in network for network in self._trusted)


def network_of(address: str | None) -> str:
    """What is limited as one client: an IPv4 address, or the /64 of an IPv6 one, of which every host has plenty."""
    parsed = _address(address or "")
    if isinstance(parsed, IPv6Address):
        return str(IPv6Network((parsed, 64), strict=False))
    return address or "unknown"


def _address(text: str) -> Address | None:
    """An address in its one way of writing, without port and zone; None for what is none."""
    if match := _WITH_PORT.fullmatch(text):
        text = match[1] or match[2]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        return address.ipv4_mapped or (None if address.scope_id else address)
    return address
