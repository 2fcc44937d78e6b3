"""Which network addresses pictures may be fetched from: by default none of a private network."""

import ipaddress
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias

from monitor.errors import AddressRefusedError, SourceUnavailableError

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

_NOT_PUBLIC: Final = tuple(
    ipaddress.ip_network(text)
    for text in (
        "192.0.0.0/24",  # protocol assignments, RFC 6890
        "192.88.99.0/24",  # 6to4 relays, RFC 7526
        "2001::/32",  # Teredo, which carries an IPv4 address
        "2001:db8::/32",
        "3fff::/20",  # documentation
        "5f00::/16",  # segment routing
        "fec0::/10",  # site-local, RFC 3879
        "::/96",  # IPv4-compatible, RFC 4291
        "64:ff9b:1::/48",  # NAT64 for local use, RFC 8215
    )
)
"""Ranges that the standard library calls global although they are not on the internet."""

_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052
_SIX_TO_FOUR: Final = ipaddress.IPv6Network("2002::/16")  # RFC 3056


class Resolver(Protocol):
    """Turns a host's name into addresses."""

    def __call__(self, host: str, port: int) -> Sequence[str]:
        """Return all its addresses, as text.

        Raises:
            SourceUnavailableError: There are none.
        """


@dataclass(frozen=True, slots=True)
class AddressPolicy:
    """Which hosts and addresses may be fetched from.

    Args:
        hosts: The only host names allowed, in lower case; empty allows all.
        networks: Private networks that are allowed nevertheless.
        allow_all: Whether nothing is checked, as for an address that the user typed.
    """

    hosts: frozenset[str] = frozenset()
    networks: tuple[Network, ...] = ()
    allow_all: bool = False

    def resolve_allowed(self, host: str, port: int, resolve: Resolver) -> str:
        """Return the address to connect to; the name must not be resolved again.

        Raises:
            AddressRefusedError: The host, or any of its addresses, is not allowed.
            SourceUnavailableError: The host has no address.
        """
        if self.hosts and host.rstrip(".").lower() not in self.hosts and not self.allow_all:
            raise AddressRefusedError("this host is not fetched from; allow it in the settings")
        addresses = resolve(host, port)
        # All of them: a name with one private address is a trap, wherever it stands in the list.
        if not self.allow_all and not all(self.allows_address(address) for address in addresses):
            raise AddressRefusedError("this address is not fetched from; only public ones are")
        return addresses[0]

    def allows_address(self, text: str) -> bool:
        """Whether one address may be connected to."""
        try:
            address = ipaddress.ip_address(text)
        except ValueError:  # it has a zone, as only link-local ones do
            return False
        targets = unwrap_address(address)
        if any(t.version == net.version and t in net for t in targets for net in self.networks):
            return True
        return all(is_public(target) for target in targets)


def unwrap_address(address: Address) -> tuple[Address, ...]:
    """Return the addresses that packets go to: for some IPv6 addresses that is an IPv4 address."""
    if isinstance(address, ipaddress.IPv4Address):
        return (address,)
    if address.ipv4_mapped is not None:
        return (address.ipv4_mapped,)
    if address in _NAT64:
        return (ipaddress.IPv4Address(int(address) & 0xFFFFFFFF),)
    if address in _SIX_TO_FOUR and address.sixtofour is not None:
        return address, address.sixtofour
    return (address,)


def is_public(address: Address) -> bool:
    """Whether the address belongs to one machine on the public internet."""
    if any(address.version == net.version and address in net for net in _NOT_PUBLIC):
        return False
    return address.is_global and not address.is_multicast


def resolve_host(host: str, port: int) -> Sequence[str]:
    """See Resolver. The system also understands odd spellings (octal, one number)."""
    try:
        entries = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise SourceUnavailableError("unknown host") from None
    return list(dict.fromkeys(str(entry[4][0]) for entry in entries))
