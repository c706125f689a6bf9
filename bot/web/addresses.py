"""From where a visitor comes: the network address, as a word that tells nobody which.

A visitor who throws the cookie away is a new visitor, so whatever is rationed (the device, guesses
of the access token) is rationed by address. Of IPv6, households and rented servers are given whole
/64 networks: one of those counts as one address.

An address is read, hashed and dropped. The key of the hash lives in this process only, so what is
kept in memory cannot be looked up in a table of all addresses, and means nothing after a restart.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from aiohttp import web

log = logging.getLogger(__name__)

_FORWARDED = "X-Forwarded-For"


class Addresses:
    """Tells visitors apart by address.

    `proxies`: addresses or networks of the reverse proxies before us. A header says whatever its
    sender likes, so X-Forwarded-For is believed from these alone, and no further than to the first
    hop that is not one of them.
    """

    def __init__(self, proxies: Sequence[str] = ()) -> None:
        self._proxies = [ip_network(proxy, strict=False) for proxy in proxies]
        self._key = secrets.token_bytes(32)
        self._warned = False

    def share(self, request: web.BaseRequest) -> str:
        """A word that is equal for requests from one address (IPv6: one /64)."""
        address = self._address(request)
        if address is None:  # such as a Unix socket
            packed = b""
        else:
            packed = address.packed if address.version == 4 else address.packed[:8]
        return f"web:{hashlib.blake2b(packed, key=self._key, digest_size=12).hexdigest()}"

    def _address(self, request: web.BaseRequest) -> IPv4Address | IPv6Address | None:
        """The nearest hop that is no proxy of ours; behind one that hides it, the proxy."""
        address = _read(request.remote or "")
        forwarded = ",".join(request.headers.getall(_FORWARDED, ()))
        if forwarded and not self._is_proxy(address):
            self._warn()
            return address
        for hop in reversed(forwarded.split(",")):
            if not self._is_proxy(address):
                break
            before = _read(hop)
            if before is None:
                break
            address = before
        return address

    def _is_proxy(self, address: IPv4Address | IPv6Address | None) -> bool:
        return address is not None and any(address in proxy for proxy in self._proxies)

    def _warn(self) -> None:
        """Once: it may be a mistake of the operator's, or a visitor's invention."""
        if not self._warned:
            self._warned = True
            log.warning(
                "a request came through a proxy that web.proxies does not name: if it is yours, "
                "name it, or all who come through it count as one visitor"
            )


def _read(text: str) -> IPv4Address | IPv6Address | None:
    """The address of a hop, written with or without a port; None where it is none.

    An IPv4 address that a dual-stack socket shows as IPv6 (::ffff:192.0.2.7) is read as what it is.
    """
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address
