"""Which addresses may be asked: the table of what leads inside, in every spelling."""

import ipaddress
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.errors import AddressRefusedError, SourceUnavailableError
from monitor.ingest.untrusted.address_policy import AddressPolicy, resolve_host

INSIDE = {
    "loopback": ["127.0.0.1", "127.8.9.1", "::1"],
    "this host": ["0.0.0.0", "0.1.2.3", "::"],  # noqa: S104  (asked for, not listened on)
    "private": ["10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "fd00::1", "fc00::9"],
    "link-local": ["169.254.169.254", "fe80::1", "fe80::1%eth0", "fec0::1"],
    "carrier-grade NAT": ["100.64.0.1", "100.127.255.254"],
    "IPv6-mapped": ["::ffff:127.0.0.1", "::ffff:10.1.2.3", "::ffff:a9fe:a9fe"],
    "IPv6-compatible": ["::127.0.0.1", "::a00:1"],
    "NAT64": ["64:ff9b::7f00:1", "64:ff9b::10.0.0.1", "64:ff9b:1::a00:1"],
    "6to4": ["2002:7f00:1::1", "2002:a00:1::", "2002:c0a8:101::1"],
    "Teredo": ["2001:0:4136:e378:8000:63bf:3fff:fdd2"],
    "multicast": ["224.0.0.1", "239.1.2.3", "ff02::1"],
    "broadcast": ["255.255.255.255"],
    "reserved": ["240.0.0.1", "192.0.0.8", "198.18.0.1", "192.0.2.1", "203.0.113.9", "2001:db8::1"],
    "nothing": ["", "localhost", "1.2.3"],
}
PUBLIC = ["1.1.1.1", "93.184.215.14", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101"]
NETWORKS = (ipaddress.ip_network("10.1.0.0/16"), ipaddress.ip_network("fd12::/16"))


@pytest.mark.parametrize("address", [a for row in INSIDE.values() for a in row])
def test_what_leads_inside_is_refused(address: str) -> None:
    assert not AddressPolicy().allows_address(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_what_is_public_is_allowed(address: str) -> None:
    assert AddressPolicy().allows_address(address)


@pytest.mark.parametrize("address", ["10.1.2.3", "::ffff:10.1.2.3", "64:ff9b::a01:203", "fd12::5"])
def test_a_private_network_that_is_configured_is_allowed_in_every_spelling(address: str) -> None:
    assert AddressPolicy(networks=NETWORKS).allows_address(address)
    assert not AddressPolicy().allows_address(address)


@pytest.mark.parametrize("address", ["10.2.0.1", "127.0.0.1", "fd13::1", "169.254.169.254"])
def test_one_configured_network_opens_no_other(address: str) -> None:
    assert not AddressPolicy(networks=NETWORKS).allows_address(address)


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_is_judged_alike_however_ipv6_carries_it(
    address: ipaddress.IPv4Address,
) -> None:
    allowed = AddressPolicy().allows_address(str(address))
    for prefix in ("::ffff:0:0", "64:ff9b::"):
        carried = ipaddress.IPv6Address(int(ipaddress.IPv6Address(prefix)) | int(address))
        assert AddressPolicy().allows_address(str(carried)) == allowed


def answering(*addresses: str) -> "Answers":
    return Answers(list(addresses))


class Answers:
    """A Resolve that gives the same addresses each time, and counts."""

    def __init__(self, addresses: list[str]) -> None:
        self.asked: list[str] = []
        self._addresses = addresses

    def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(f"{host}:{port}")
        return self._addresses


def test_one_private_address_among_public_ones_spoils_the_name() -> None:
    with pytest.raises(AddressRefusedError):
        AddressPolicy().resolve_allowed("example.org", 80, answering("1.1.1.1", "127.0.0.1"))
    with pytest.raises(AddressRefusedError):
        AddressPolicy().resolve_allowed("example.org", 80, answering("127.0.0.1", "1.1.1.1"))


def test_only_hosts_that_are_named_are_asked_for_their_address() -> None:
    rules, names = AddressPolicy(hosts=frozenset({"pictures.example.org"})), answering("1.1.1.1")
    assert rules.resolve_allowed("Pictures.Example.org.", 443, names) == "1.1.1.1"
    with pytest.raises(AddressRefusedError, match="host"):
        rules.resolve_allowed("example.org", 443, names)
    assert names.asked == ["Pictures.Example.org.:443"]


@pytest.mark.parametrize("host", ["127.1", "0x7f000001", "2130706433", "0177.0.0.1", "localhost"])
def test_odd_spellings_of_loopback_are_seen_through(host: str) -> None:
    with pytest.raises(AddressRefusedError):
        AddressPolicy().resolve_allowed(host, 80, resolve_host)


def test_a_name_without_an_address_is_not_available() -> None:
    with pytest.raises(SourceUnavailableError, match="unknown host"):
        AddressPolicy().resolve_allowed("nothing.invalid", 80, resolve_host)
    with pytest.raises(SourceUnavailableError, match="unknown host"):
        AddressPolicy().resolve_allowed(f"{'a' * 70}.example", 80, resolve_host)
