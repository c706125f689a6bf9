"""From where a visitor comes: one address is one share, and nobody can say he is somebody else."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict

from bot.web.addresses import Addresses
from tests.bot.web_world import Browser, Script, scripted_commands, serving


class Transport:
    def __init__(self, address: str) -> None:
        self._address = address

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return (self._address, 50000) if name == "peername" and self._address else default


def share(addresses: Addresses, remote: str, *forwarded: str) -> str:
    """The share of a request from `remote`, with these X-Forwarded-For headers."""
    headers = CIMultiDict([("X-Forwarded-For", value) for value in forwarded])
    request = make_mocked_request("GET", "/", headers, transport=Transport(remote))  # type: ignore[arg-type]
    return addresses.share(request)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.7", "192.0.2.7", True),
        ("192.0.2.7", "192.0.2.8", False),
        ("::ffff:192.0.2.7", "192.0.2.7", True),  # a dual-stack socket
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),  # one /64
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("fe80::1%eth0", "fe80::2", True),
        ("127.0.0.1", "::1", False),
        ("", "", True),  # a Unix socket
    ],
)
def test_what_counts_as_one_address(one: str, other: str, same: bool) -> None:
    addresses = Addresses()
    assert (share(addresses, one) == share(addresses, other)) is same


def test_a_share_does_not_tell_the_address() -> None:
    known = share(Addresses(), "192.0.2.7")
    assert known.startswith("web:")
    assert "192.0.2.7" not in known
    assert known != share(Addresses(), "192.0.2.7"), "another process, another key"


def test_nobody_is_believed_who_is_no_proxy_of_ours(caplog: pytest.LogCaptureFixture) -> None:
    addresses = Addresses()
    honest = share(addresses, "198.51.100.1")
    with caplog.at_level(logging.WARNING):
        for lie in ("203.0.113.1", "203.0.113.2, 10.0.0.1"):
            assert share(addresses, "198.51.100.1", lie) == honest
    [record] = caplog.records
    assert "web.proxies" in record.getMessage()
    assert "198.51.100.1" not in caplog.text and "203.0.113" not in caplog.text


@pytest.mark.parametrize(
    ("forwarded", "address"),
    [
        (["203.0.113.1"], "203.0.113.1"),
        (["6.6.6.6, 203.0.113.1"], "203.0.113.1"),  # what the visitor wrote is left of the truth
        (["6.6.6.6", "203.0.113.1"], "203.0.113.1"),
        (["203.0.113.1, 10.0.0.9"], "203.0.113.1"),  # two proxies of ours, one behind the other
        (["203.0.113.1:4711"], "203.0.113.1"),
        (["[2001:db8::1]:4711"], "2001:db8::1"),
        (["2001:db8::1"], "2001:db8::1"),
        (["203.0.113.1, unknown"], "10.0.0.5"),  # a hop that hides what came before it
        ([""], "10.0.0.5"),
        ([], "10.0.0.5"),
        (["10.0.0.9"], "10.0.0.9"),
    ],
)
def test_a_proxy_of_ours_is_believed(forwarded: list[str], address: str) -> None:
    addresses = Addresses(["10.0.0.0/24", "fd00::/8"])
    assert share(addresses, "10.0.0.5", *forwarded) == share(addresses, address)


def test_an_endless_header_is_read_no_further_than_needed() -> None:
    addresses = Addresses(["10.0.0.5"])
    lie = ", ".join(["10.0.0.5"] * 500)
    assert share(addresses, "10.0.0.5", lie) == share(addresses, "10.0.0.5")


# --- at the door ---------------------------------------------------------------------------------


async def test_a_fresh_cookie_is_not_a_fresh_share() -> None:
    script = Script()
    with scripted_commands(script):
        async with (
            serving() as frontend,
            Browser(frontend) as ada,
            Browser(frontend) as again,
        ):
            requests = []
            for browser in (ada, again):
                await browser.open()
                async with browser.tab() as tab:
                    await tab.send("call", command="work", arguments={})
                    await tab.answer("partial")
                    runs = frontend._hub.services.runs.by_id.values()
                    requests.append(list(runs)[-1].request)
            script.let_go.set()
    first, second = requests
    assert first.user != second.user
    assert first.share == second.share != ""
    assert first.share not in (first.user, first.chat)
    assert "127.0.0.1" not in first.share


async def test_behind_our_proxy_the_visitors_are_told_apart() -> None:
    script = Script()
    with scripted_commands(script):
        async with (
            serving(proxies=["127.0.0.1"]) as frontend,
            Browser(frontend, **{"X-Forwarded-For": "203.0.113.1"}) as ada,
            Browser(frontend, **{"X-Forwarded-For": "203.0.113.2"}) as bob,
        ):
            for browser in (ada, bob):
                await browser.open()
                async with browser.tab() as tab:
                    assert tab.hello
            shares = {session.share for session in frontend.sessions}
    assert len(shares) == 2


async def test_guesses_of_the_token_are_counted_by_address_too() -> None:
    async with serving(token="a-long-secret", proxies=["127.0.0.1"]) as frontend:
        for number in range(12):
            headers = {"X-Forwarded-For": f"2001:db8::{number:x}"}  # fresh, out of one /64
            async with Browser(frontend, **headers) as browser:
                await browser.open()
                guess = {"data": {"token": "wrong"}, "headers": {"Origin": browser.origin}}
                async with browser.http.post("/sign-in", **guess) as response:
                    assert response.status == (401 if number < 10 else 429)
        async with Browser(frontend, **{"X-Forwarded-For": "203.0.113.1"}) as innocent:
            await innocent.open()
            guess = {"data": {"token": "a-long-secret"}, "headers": {"Origin": innocent.origin}}
            async with innocent.http.post("/sign-in", **guess) as response:
                assert response.status == 200
