"""How often Tadım speaks on Discord, on a clock that the test turns."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import discord
import pytest

from bot.discord.delivery import paced
from bot.discord.limits import Budgets, discord_budgets
from bot.discord.outlets import ChannelOutlet, InteractionOutlet
from bot.pace import Urgency
from handlers.kit.reply import Reply, State
from tests.bot.clock import Clock

CHANNEL, PEOPLE = 7, 200
PARTIAL = Reply.say("working-on").partial()
FINAL = Reply.say("cancelled")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def budgets(clock: Clock) -> Budgets:
    return discord_budgets(clock.time, clock.call_later)


def most_within(seconds: float, times: list[float]) -> int:
    """The most sends in any window of so many seconds."""
    return max(sum(start <= time < start + seconds for time in times) for start in times)


# --- many answers in one channel -----------------------------------------------------------------


class FakeInteraction:
    """As much of an interaction as its outlet looks at before it sends anything."""

    channel_id = CHANNEL
    filesize_limit = 10_000_000


class Growing:
    """An answer whose newest state is `version`, until it is final."""

    def __init__(self) -> None:
        self.version = 0
        self.final = asyncio.Event()
        self.shown: list[int] = []

    async def states(self) -> AsyncIterator[Reply]:
        while not self.final.is_set():
            self.version += 1
            yield replace(PARTIAL, fraction=float(self.version))
            await asyncio.sleep(0)
        yield FINAL


class Channel:
    """`PEOPLE` answers that grow in the same channel."""

    def __init__(self, clock: Clock, budgets: Budgets) -> None:
        self.clock = clock
        self.answers = [Growing() for _ in range(PEOPLE)]
        self.states: list[float] = []
        self.finals: list[float] = []
        self.stale = 0
        self.tasks = [asyncio.create_task(self._follow(a, budgets)) for a in self.answers]

    async def _follow(self, answer: Growing, budgets: Budgets) -> None:
        outlet = InteractionOutlet(FakeInteraction(), budgets)  # type: ignore[arg-type]
        async for reply in paced(answer.states(), outlet.permit, seconds=0):
            if reply.state is not State.PARTIAL:
                self.finals.append(self.clock.now)
                return
            self.states.append(self.clock.now)
            self.stale += answer.version - int(reply.fraction or 0) > 2


@pytest.fixture
async def channel(clock: Clock, budgets: Budgets) -> AsyncIterator[Channel]:
    channel = Channel(clock, budgets)
    yield channel
    for task in channel.tasks:
        task.cancel()
    await asyncio.gather(*channel.tasks, return_exceptions=True)


async def test_two_hundred_growing_answers_share_one_budget_and_show_their_newest_state(
    channel: Channel,
) -> None:
    await channel.clock.advance(10)
    assert 45 <= len(channel.states) <= 55
    assert most_within(1.0, channel.states) <= 10
    assert channel.stale == 0


async def test_finals_wait_for_nobodys_states(channel: Channel) -> None:
    await channel.clock.advance(3)
    for answer in channel.answers:
        answer.final.set()
    await channel.clock.settle()
    assert channel.finals == [channel.clock.now] * PEOPLE


# --- ordinary messages ---------------------------------------------------------------------------


class FakeMessage:
    def __init__(self, client: FakeClient) -> None:
        self._client = client

    async def edit(self, **changes: Any) -> None:
        self._client.sent.append(("edit", self._client.clock.now))


class FakeClient:
    """A client that notes what is sent, and when."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.sent: list[tuple[str, float]] = []
        self.refusal: Exception | None = None

    def get_guild(self, guild: int) -> None:
        return None

    def get_partial_messageable(self, channel: int) -> FakeClient:
        return self

    async def send(self, **content: Any) -> FakeMessage:
        self.sent.append(("post", self.clock.now))
        return FakeMessage(self)

    async def typing(self) -> None:
        self.sent.append(("typing", self.clock.now))
        if self.refusal is not None:
            raise self.refusal

    @property
    def times(self) -> list[float]:
        return [time for _, time in self.sent]

    @property
    def kinds(self) -> list[str]:
        return [kind for kind, _ in self.sent]


@pytest.fixture
def client(clock: Clock) -> FakeClient:
    return FakeClient(clock)


def outlet_in(client: FakeClient, budgets: Budgets, channel: int = CHANNEL) -> ChannelOutlet:
    return ChannelOutlet(client, {"channel": channel}, budgets)  # type: ignore[arg-type]


async def test_a_channel_gets_at_most_five_messages_or_edits_in_five_seconds(
    client: FakeClient, clock: Clock, budgets: Budgets
) -> None:
    async def answer() -> None:
        outlet = outlet_in(client, budgets)
        message = await outlet.post(False)
        await outlet.edit(message)

    tasks = [asyncio.create_task(answer()) for _ in range(10)]
    await clock.advance(60)
    await asyncio.gather(*tasks)
    assert sorted(client.kinds) == ["edit"] * 10 + ["post"] * 10
    assert most_within(5.0, client.times) <= 5
    assert client.times[1] - client.times[0] < 0.1  # two at once, for those who are alone


async def test_all_channels_together_stay_below_fifty_a_second(
    client: FakeClient, clock: Clock, budgets: Budgets
) -> None:
    posts = [outlet_in(client, budgets, channel).post(False) for channel in range(300)]
    tasks = [asyncio.create_task(post) for post in posts]
    await clock.advance(10)
    await asyncio.gather(*tasks)
    assert most_within(1.0, client.times) < 50
    assert client.times[-1] - client.times[0] < 300 / 44


async def test_a_state_is_paid_for_once_and_an_answer_goes_first(
    client: FakeClient, clock: Clock, budgets: Budgets
) -> None:
    """In a thread also the states are ordinary messages."""
    outlet, other = outlet_in(client, budgets), outlet_in(client, budgets)
    message = await outlet.post(False)
    order: list[str] = []

    async def state() -> None:
        await outlet.permit(Urgency.EDIT)
        order.append("state")
        await outlet.edit(message)

    async def answer() -> None:
        await other.post(False)
        order.append("answer")

    tasks = [asyncio.create_task(state()), asyncio.create_task(answer())]
    await clock.advance(0.1)
    assert order == ["answer"]
    await clock.advance(2.6)
    await asyncio.gather(*tasks)
    assert order == ["answer", "state"]
    assert client.kinds == ["post", "post", "edit"]
    assert client.times[2] - client.times[0] == pytest.approx(2.6, abs=0.1)
    # The edit has paid nothing more than its state had.
    assert budgets.messages.delay(CHANNEL, 2) == pytest.approx(1.3, abs=0.15)


async def test_typing_is_shown_now_and_then_and_only_where_nobody_waits(
    client: FakeClient, clock: Clock, budgets: Budgets, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asyncio.get_running_loop(), "time", clock.time)
    outlet = outlet_in(client, budgets)
    for _ in range(5):
        await outlet.show_typing()
    assert client.kinds == ["typing"]
    clock.now += 10
    tasks = [asyncio.create_task(outlet_in(client, budgets).post(False)) for _ in range(3)]
    await clock.advance(0.1)
    await outlet.show_typing()
    assert client.kinds == ["typing", "post", "post"]
    await clock.advance(10)
    await asyncio.gather(*tasks)
    await outlet.show_typing()
    assert client.kinds[-1] == "typing"


async def test_typing_that_is_refused_is_no_trouble(client: FakeClient, budgets: Budgets) -> None:
    class Response:
        status, reason = 403, "Forbidden"

    client.refusal = discord.Forbidden(Response(), {"code": 50013, "message": "no"})  # type: ignore[arg-type]
    await outlet_in(client, budgets).show_typing()
    assert client.kinds == ["typing"]


async def test_whispers_beyond_the_budget_are_told_in_place(clock: Clock, budgets: Budgets) -> None:
    """A whole class is told that the queue is full: nobody waits for minutes to hear it."""
    outlets = [InteractionOutlet(FakeInteraction(), budgets) for _ in range(16)]  # type: ignore[arg-type]
    *first, last = await asyncio.gather(*(outlet.may_whisper() for outlet in outlets))
    assert first == [True] * 15
    assert not last
    assert await outlets[0].may_whisper()  # it has paid
    assert not await outlets[-1].may_whisper()
    await clock.advance(4)
    assert await outlets[-1].may_whisper()


async def test_further_messages_of_interactions_are_at_most_thirty_a_minute(
    clock: Clock, budgets: Budgets
) -> None:
    times: list[float] = []

    async def further() -> None:
        async with budgets.further.turn(CHANNEL, Urgency.FINAL) as turn:
            await turn.pay()
            times.append(clock.now)

    tasks = [asyncio.create_task(further()) for _ in range(60)]
    await clock.advance(400)
    await asyncio.gather(*tasks)
    assert most_within(60.0, times) <= 30
    assert times[14] == times[0]  # a class that presses at once is answered at once
