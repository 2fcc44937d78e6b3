"""Which network addresses may be asked for a picture, and which lead into somebody's house."""

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
        "2001::/32",  # Teredo carries an IPv4 address in a way of its own
        "2001:db8::/32",
        "3fff::/20",  # documentation
        "5f00::/16",  # segment routing
        "fec0::/10",  # site-local, RFC 3879
        "::/96",  # IPv4-compatible, RFC 4291
        "64:ff9b:1::/48",  # NAT64 of one's own, RFC 8215
    )
)
"""What the standard library calls global and yet nobody on the internet answers from."""

_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052
_SIX_TO_FOUR: Final = ipaddress.IPv6Network("2002::/16")  # RFC 3056


class Resolve(Protocol):
    """Turns a host's name into addresses."""

    def __call__(self, host: str, port: int) -> Sequence[str]:
        """All its addresses, as text.

        Raises:
            SourceUnavailableError: There are none.
        """


@dataclass(frozen=True, slots=True)
class AddressPolicy:
    """What may be fetched.

    Args:
        hosts: The only names that may be asked, in lower case; empty allows every one.
        networks: Private ranges that may be asked all the same.
        anywhere: Whether all of this is left unchecked: the user typed the address himself.
    """

    hosts: frozenset[str] = frozenset()
    networks: tuple[Network, ...] = ()
    anywhere: bool = False

    def checked(self, host: str, port: int, resolve: Resolve) -> str:
        """The address to connect to; the name must not be looked up again.

        Raises:
            AddressRefusedError: The host, or any of its addresses, may not be asked.
            SourceUnavailableError: The host has no address.
        """
        if self.hosts and host.rstrip(".").lower() not in self.hosts and not self.anywhere:
            raise AddressRefusedError("the host is not one that is fetched from here")
        addresses = resolve(host, port)
        # All of them: a name that is half inside is a trap, whichever half comes first.
        if not self.anywhere and not all(self.allows(address) for address in addresses):
            raise AddressRefusedError("the address is not one that is fetched from here")
        return addresses[0]

    def allows(self, text: str) -> bool:
        """Whether one address may be asked."""
        try:
            address = ipaddress.ip_address(text)
        except ValueError:  # with a zone, which only link-local ones have
            return False
        inner = carried(address)
        if any(one.version == net.version and one in net for one in inner for net in self.networks):
            return True
        return all(is_public(one) for one in inner)


def carried(address: Address) -> tuple[Address, ...]:
    """The address, or the IPv4 address that it stands for and that packets really go to."""
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
    """Whether the whole internet reaches the same machine under this address."""
    if any(address.version == net.version and address in net for net in _NOT_PUBLIC):
        return False
    return address.is_global and not address.is_multicast


def resolved(host: str, port: int) -> Sequence[str]:
    """See Resolve. Asks the system, in every spelling it understands (octal, one number)."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise SourceUnavailableError("the host is not known") from None
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))
