"""Which names of hosts mean this machine: what goes nowhere else needs neither TLS nor a token."""

from __future__ import annotations

from ipaddress import ip_address


def is_loopback(name: str) -> bool:
    """Whether a host name, or an address without a port, always means this machine."""
    if name.lower() == "localhost":
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False
