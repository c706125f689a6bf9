"""Which job runs next, and with whom: the decisions of the queue, without clocks or processes.

**Fair by device time.** The device is shared between *chats*, and a chat's share between its
*users*, by hierarchical start-time fair queueing (Goyal, Vin & Cheng, SIGCOMM 1996; Goyal, Guo &
Vin, OSDI 1996). Chats and users have a tag, in device seconds. The chat with the smallest tag is
next, in it the user with the smallest tag, of his jobs the oldest. Being served moves both tags on
by what it costs: by the expected cost at once, corrected when the worker has measured the true one.
Whoever comes (back) starts at the virtual time of his level at the earliest, so an absence saves
nothing up and a debt is not forgotten. Hence a user's hundredth job stands behind a newcomer's
first. The virtual time is the tag of whoever is being served, or how far all who wait would have
come if each batch before had been shared among them equally (as in weighted fair queueing; Demers,
Keshav & Shenker, SIGCOMM 1989), whichever is more: so it goes on even if everybody comes but once.

**In batches.** Jobs of one *lane* may share a batch. The next job decides the lane, and its chat
*leads* the batch: it is that chat's turn. Seats that are left go to the lane's other jobs, of the
chat that has had the least device time in all first; such a job *rides along*. So a chat has two
tags: of its turns, which say whose turn is next, and of all that it has had, which says who gets a
seat. A seat in another's batch is no turn and does not count as one: otherwise a chat of which
somebody always rides along would never have a turn, and its users in other lanes would starve. A
user has one tag, which moves with all that he has.

**Advantages.** A lane may be *lifted* by some seconds, as by an instructor who wants one exercise
to go first, and a worker may favour lanes whose model it has in memory. Both subtract seconds from
the tag by which lanes are compared, and change no account ("borrowed virtual time", Duda &
Cheriton, SOSP 1999): what is borrowed is charged.

**Bounds.** Let L be the largest cost of a batch plus the largest error of the estimates in flight,
and B the largest advantage of a lane over another.

- While two chats wait, neither has more device seconds in its turns than the other by more than
  2 L + B (Goyal, Vin & Cheng, theorem 1, with the batch as the packet). While two users of a chat
  wait, neither has more from turns of his own than the other has in all, by more than 2 L + B.
- What rides along costs others only what it makes the batch longer (`inference.costs` sees to it
  that a batch is no larger than it pays), and takes a seat from nobody who has had less.
- No starvation. A job whose user is given K device seconds before it, in a chat of u users, one
  chat of c, waits for at most c · (u · (K + L + B) + L + B) device seconds of turns. For whoever
  waits, a tag stands still; for whoever is served instead, it grows; and newcomers, who have no
  tag yet, get the virtual time, which grows by 1/c of all turns (in the chat, by 1/u of all that
  it is given). A turn of which m - 1 of m seats are given away is 1/m of the device's time.

Putting in, taking out and dispatching cost O(log n) for n waiting; choosing the lane O(lanes).
"""

from __future__ import annotations

import heapq
import itertools
import math
import operator
from collections.abc import Callable, Hashable, Iterator
from typing import Any, Generic, TypeVar

LEAST_COST = 1e-6  # device seconds; what costs nothing could be served for ever

_ticks = itertools.count(1)  # breaks ties between equal tags: first come, first served


class Waiting:
    """A job as the scheduler sees it. Subclass it with whatever the job is.

    `order` numbers all jobs. `lane`: jobs of one lane may share a batch. `cost`: expected device
    seconds. `alone`: it shares its batch with nobody (a repeated job).
    """

    __slots__ = (
        "_after",
        "_before",
        "_line",
        "alone",
        "charged",
        "chat",
        "cost",
        "lane",
        "order",
        "rides",
        "user",
    )

    def __init__(
        self, chat: Hashable, user: Hashable, lane: Any, cost: float, alone: bool = False
    ) -> None:
        self.chat = chat
        self.user = user
        self.lane = lane
        self.cost = cost
        self.alone = alone
        self.charged = 0.0  # device seconds that its user and chat have been charged for it
        self.rides = False  # in another chat's batch: no turn of its own
        self.order = next(_ticks)
        self._line: _UserLine | _Again | None = None
        self._before: Waiting | None = None
        self._after: Waiting | None = None

    @property
    def in_line(self) -> bool:
        return self._line is not None

    @property
    def repeated(self) -> bool:
        """Whether it stands before all others."""
        return isinstance(self._line, _Again)


class _User:
    """What a user of a chat has had, in device seconds of virtual time."""

    __slots__ = ("tag", "waiting")

    def __init__(self, tag: float) -> None:
        self.tag = tag
        self.waiting = 0  # jobs in line


class _Chat:
    """What a chat has had, in its turns and in all, and its users by name."""

    __slots__ = ("all", "growth", "joined", "turns", "users", "users_waiting", "virtual", "waiting")

    def __init__(self, turns: float, all: float) -> None:
        self.turns = turns
        self.all = all
        self.waiting = 0
        self.users_waiting = 0
        self.virtual = 0.0  # its own virtual time, for its users
        self.growth = 0.0  # by which that has grown when the batch in service is done
        self.joined = all  # that tag when it began to wait
        self.users: dict[Hashable, _User] = {}

    def come(self, turns: float, all: float) -> None:
        """Start no earlier than that: an absence saves nothing up."""
        self.turns = max(self.turns, turns)
        self.all = max(self.all, all)

    def copy(self, turns: float, all: float) -> _Chat:
        """With nothing in line, and whoever is absent as if he came now."""
        copy = _Chat(self.turns, self.all)
        if not self.waiting:
            copy.come(turns, all)
        copy.virtual, copy.growth = self.virtual, self.growth
        copy.users = {
            name: _User(user.tag if user.waiting else max(user.tag, self.virtual))
            for name, user in self.users.items()
        }
        return copy


class _UserLine:
    """A user's waiting jobs of one lane, oldest first."""

    __slots__ = ("account", "first", "key", "last")

    def __init__(self, account: _User) -> None:
        self.account = account
        self.key = account.tag  # by which the heap knows it
        self.first: Waiting | None = None
        self.last: Waiting | None = None

    def __lt__(self, other: _UserLine) -> bool:
        return False  # heaps compare two only when all before is equal, as with what is void

    def append(self, waiting: Waiting) -> None:
        waiting._line = self
        waiting._before = self.last
        if self.last is None:
            self.first = waiting
        else:
            self.last._after = waiting
        self.last = waiting

    def remove(self, waiting: Waiting) -> None:
        before, after = waiting._before, waiting._after
        if before is None:
            self.first = after
        else:
            before._after = after
        if after is None:
            self.last = before
        else:
            after._before = before
        waiting._line = waiting._before = waiting._after = None

    def __iter__(self) -> Iterator[Waiting]:
        each = self.first
        while each is not None:
            yield each
            each = each._after


class _ChatLine:
    """A chat's waiting jobs of one lane: its users, smallest tag first."""

    __slots__ = ("account", "chat", "heap", "seat_key", "turn_key", "users")

    def __init__(self, chat: Hashable, account: _Chat) -> None:
        self.chat = chat
        self.account = account
        self.turn_key = account.turns  # by which the two heaps know it
        self.seat_key = account.all
        self.users: dict[Hashable, _UserLine] = {}
        self.heap: list[tuple[float, int, _UserLine]] = []


class _Again:
    """Jobs of a lane that must be repeated: before all others, oldest first."""

    __slots__ = ("waiting",)

    def __init__(self) -> None:
        self.waiting: dict[Waiting, None] = {}

    def remove(self, waiting: Waiting) -> None:
        del self.waiting[waiting]
        waiting._line = None


class _Lane:
    """The waiting jobs of one lane: its chats, by whose turn it is and by who gets a seat.

    Heaps hold a chat with the tag that it had; what has changed since is put right when it is seen.
    """

    __slots__ = ("again", "chats", "lift", "seats", "size", "turns")

    def __init__(self, lift: float) -> None:
        self.size = 0
        self.lift = lift
        self.again = _Again()
        self.chats: dict[Hashable, _ChatLine] = {}
        self.turns: list[tuple[float, int, _ChatLine]] = []
        self.seats: list[tuple[float, int, _ChatLine]] = []

    def open(self, chat: Hashable, account: _Chat) -> _ChatLine:
        line = self.chats[chat] = _ChatLine(chat, account)
        heapq.heappush(self.turns, (line.turn_key, next(_ticks), line))
        heapq.heappush(self.seats, (line.seat_key, next(_ticks), line))
        return line

    def shut(self, line: _ChatLine) -> None:
        del self.chats[line.chat]
        line.turn_key = line.seat_key = math.nan  # whatever the heaps still hold of it is void
        if len(self.turns) > 32 and len(self.turns) > 4 * len(self.chats):
            self.turns = [each for each in self.turns if each[0] == each[2].turn_key]
            heapq.heapify(self.turns)
        if len(self.seats) > 32 and len(self.seats) > 4 * len(self.chats):
            self.seats = [each for each in self.seats if each[0] == each[2].seat_key]
            heapq.heapify(self.seats)

    def move_forward(self, line: _ChatLine) -> None:
        """A tag has become smaller (larger ones are found out)."""
        if line.account.turns < line.turn_key:
            line.turn_key = line.account.turns
            heapq.heappush(self.turns, (line.turn_key, next(_ticks), line))
        if line.account.all < line.seat_key:
            line.seat_key = line.account.all
            heapq.heappush(self.seats, (line.seat_key, next(_ticks), line))

    def next_turn(self) -> _ChatLine:
        """The chat whose turn it is; the lane holds somebody."""
        heap = self.turns
        while True:
            key, _, line = heap[0]
            if key != line.turn_key:  # it has moved forward, or gone
                heapq.heappop(heap)
            elif key < line.account.turns:  # it was served since
                line.turn_key = line.account.turns
                heapq.heapreplace(heap, (line.turn_key, next(_ticks), line))
            else:
                return line

    def next_seat(self) -> _ChatLine:
        """The chat that gets the next seat; the lane holds somebody."""
        heap = self.seats
        while True:
            key, _, line = heap[0]
            if key != line.seat_key:
                heapq.heappop(heap)
            elif key < line.account.all:
                line.seat_key = line.account.all
                heapq.heapreplace(heap, (line.seat_key, next(_ticks), line))
            else:
                return line


W = TypeVar("W", bound=Waiting)


class Rehearsed(Waiting, Generic[W]):
    """A waiting job's double in a rehearsal."""

    __slots__ = ("of",)

    def __init__(self, of: W) -> None:
        super().__init__(of.chat, of.user, of.lane, of.cost, of.alone)
        self.order = of.order
        self.of = of


class Scheduler(Generic[W]):
    """The waiting jobs of one room.

    `group(lane)` is what `lift` knows a lane by (all lanes of a task, say).
    """

    def __init__(self, group: Callable[[Hashable], Hashable] = lambda lane: lane) -> None:
        self._group = group
        self._lanes: dict[Hashable, _Lane] = {}
        self._chats: dict[Hashable, _Chat] = {}
        self._known = 0  # users who have an account
        self._lifts: dict[Hashable, float] = {}
        self._virtual = 0.0  # of turns
        self._growth = 0.0  # as in `_Chat`
        self._average = 0.0  # how far all who wait would have come, had all been shared equally
        self._rehearses = False  # everybody in the accounts has come already
        self._size = 0
        self._chats_waiting = 0
        self._users_waiting = 0
        #: expected device seconds of all that wait
        self.cost = 0.0

    def __len__(self) -> int:
        return self._size

    @property
    def users(self) -> int:
        """How many users wait."""
        return self._users_waiting

    # --- in and out -------------------------------------------------------------------------------

    def push(self, waiting: W, *, first: bool = False) -> None:
        """Put a job in line; `first`: before all others (one that must be repeated)."""
        waiting.cost = max(waiting.cost, LEAST_COST)
        lane = self._lanes.get(waiting.lane)
        if lane is None:
            lift = self._lifts.get(self._group(waiting.lane), 0.0)
            lane = self._lanes[waiting.lane] = _Lane(lift)
        chat, user = self._enter(waiting)
        lane.size += 1
        self._size += 1
        self.cost += waiting.cost
        if first:
            lane.again.waiting[waiting] = None
            waiting._line = lane.again
            return
        chat_line = lane.chats.get(waiting.chat)
        if chat_line is None:
            chat_line = lane.open(waiting.chat, chat)
        user_line = chat_line.users.get(waiting.user)
        if user_line is None:
            user_line = chat_line.users[waiting.user] = _UserLine(user)
            heapq.heappush(chat_line.heap, (user.tag, waiting.order, user_line))
        user_line.append(waiting)

    def remove(self, waiting: W) -> None:
        """Take a job out of the line; harmless if it has left already."""
        if waiting._line is not None:
            self._leave(waiting, self._lanes[waiting.lane])

    def take(self, lane: Hashable, most: int) -> list[W]:
        """The next jobs of a lane, at most `most`, as one batch; they are charged for."""
        batch: list[W] = []
        leader: _Chat | None = None
        spent: dict[Hashable, tuple[_Chat, int, float]] = {}  # by chat: its users, device seconds
        chats = self._chats_waiting
        while len(batch) < most and (place := self._lanes.get(lane)) is not None:
            if place.again.waiting:  # they have been charged already
                head: W = next(iter(place.again.waiting))  # type: ignore[assignment]
            else:
                line = place.next_turn() if leader is None else place.next_seat()
                head = self._head_of_chat(line)
            if head.alone and batch:
                break
            if isinstance(head._line, _UserLine):
                chat = line.account
                user = head._line.account
                if head.chat not in spent:
                    # The batch is served as one: its first job is what is being served.
                    if leader is None:
                        leader = chat
                        self._virtual = max(self._virtual + self._growth, chat.turns)
                    chat.virtual = max(chat.virtual + chat.growth, user.tag)
                    spent[head.chat] = chat, chat.users_waiting, 0.0
                _, users, seconds = spent[head.chat]
                spent[head.chat] = chat, users, seconds + head.cost
                head.rides = chat is not leader
                if not head.rides:
                    chat.turns += head.cost
                chat.all += head.cost
                user.tag += head.cost
                head.charged += head.cost
            self._leave(head, place)
            batch.append(head)
            if head.alone:
                break
        self._growth = 0.0 if spent else self._growth
        for chat, users, seconds in spent.values():
            self._average += seconds / chats
            if chat is leader:
                self._growth = seconds / chats
            chat.growth = seconds / users
        return batch

    def settle(self, waiting: W, seconds: float) -> None:
        """Charge a job that has left the line the `seconds` it took, not the expected ones."""
        difference = seconds - waiting.charged
        waiting.charged = seconds
        chat = self._chats.get(waiting.chat)
        if chat is None:
            return
        # The virtual times have grown by what was expected; they must not run away from the tags.
        chats = max(1, self._chats_waiting)
        if not waiting.rides:
            chat.turns += difference
            self._growth += difference / chats
        chat.all += difference
        self._average += difference / chats
        chat.growth += difference / max(1, chat.users_waiting)
        user = chat.users.get(waiting.user)
        if user is not None:
            user.tag += difference
        if difference < 0 and chat.waiting:
            self._move_forward(waiting.chat, waiting.user)

    def hasten(self, waiting: W, chat: Hashable, user: Hashable) -> None:
        """Let another user pay for a waiting job that he wants too, if that brings it forward."""
        line = waiting._line
        if not isinstance(line, _UserLine) or (chat, user) == (waiting.chat, waiting.user):
            return
        known = self._chats.get(chat)
        account = known.users.get(user) if known else None
        if account is not None and account.waiting:
            return  # it would stand behind his own
        chat_tag, user_tag = self._start(waiting.chat, waiting.user)
        before = waiting._before
        while before is not None:  # his own jobs before it
            chat_tag, user_tag = chat_tag + before.cost, user_tag + before.cost
            before = before._before
        if self._start(chat, user) >= (chat_tag, user_tag):
            return
        self.remove(waiting)
        waiting.chat, waiting.user = chat, user
        self.push(waiting)

    def reprice(self, waiting: W, cost: float) -> None:
        """A waiting job is now expected to cost something else."""
        self.cost += max(cost, LEAST_COST) - waiting.cost
        waiting.cost = max(cost, LEAST_COST)

    def lift(self, group: Hashable, seconds: float) -> None:
        """Let a group of lanes go before others by `seconds` of device time; 0 ends that."""
        self._lifts[group] = seconds
        for key, lane in self._lanes.items():
            if self._group(key) == group:
                lane.lift = seconds

    def rest(self) -> None:
        """Nobody waits and nothing runs: nobody owes anything any more."""
        if not self._size:
            self._chats.clear()
            self._known = 0
            self._virtual = self._growth = self._average = 0.0

    # --- looking ----------------------------------------------------------------------------------

    def lanes(self, advantage: Callable[[W], float] = lambda head: 0.0) -> list[tuple[Hashable, W]]:
        """The lanes that hold a job, each with its next job, the lane of the next job first.

        `advantage(head)`: seconds by which its lane goes before others for whoever asks.
        """
        if len(self._lanes) == 1:  # nothing to compare
            (key,) = self._lanes
            head = self.head(key)
            return [] if head is None else [(key, head)]
        ahead: list[tuple[Hashable, W]] = []
        by_chat: dict[Hashable, list[tuple[float, int, float, Hashable, W]]] = {}
        for key in list(self._lanes):
            head = self.head(key)
            if head is None:
                continue
            lane = self._lanes[key]
            if lane.again.waiting:
                ahead.append((key, head))
                continue
            by = lane.lift + advantage(head)
            tag = self._chats[head.chat].users[head.user].tag - by
            by_chat.setdefault(head.chat, []).append((tag, head.order, by, key, head))
        # A chat stands where its best lane stands: an advantage counts against other chats, and
        # against other users of the same.
        line: list[tuple[float, float, int, Hashable, W]] = []
        for chat, places in by_chat.items():
            places.sort(key=_by_tag)
            after = -math.inf
            for tag, order, by, key, head in places:
                after = max(after, self._chats[chat].turns - by)
                line.append((after, tag, order, key, head))
        line.sort(key=lambda place: place[:3])
        return ahead + [(key, head) for _, _, _, key, head in line]

    def __iter__(self) -> Iterator[Hashable]:
        """The lanes that hold a job, in no order."""
        return iter(self._lanes)

    def waiting_in(self, lane: Hashable) -> int:
        """How many jobs of a lane wait."""
        return self._lanes[lane].size if lane in self._lanes else 0

    def head(self, lane: Hashable) -> W | None:
        """The next job of a lane: whose turn it is in it."""
        place = self._lanes.get(lane)
        if place is None:
            return None
        if place.again.waiting:
            return next(iter(place.again.waiting))  # type: ignore[return-value]
        return self._head_of_chat(place.next_turn())

    def all(self) -> list[W]:
        """All waiting jobs, the oldest first; repeated ones before the others."""
        again: list[W] = []
        others: list[W] = []
        for lane in self._lanes.values():
            again += lane.again.waiting  # type: ignore[arg-type]
            for chat in lane.chats.values():
                for line in chat.users.values():
                    others.extend(line)  # type: ignore[arg-type]
        again.sort(key=_order)
        others.sort(key=_order)
        return again + others

    def rehearsal(self) -> Scheduler[Rehearsed[W]]:
        """An empty line with the same accounts and lifts: `rehearse` the jobs and see what comes.

        What is done with it changes nothing here.
        """
        copy: Scheduler[Rehearsed[W]] = Scheduler(self._group)
        copy._lifts = dict(self._lifts)
        copy._virtual, copy._growth = self._virtual, self._growth
        copy._average = self._average
        copy._rehearses = True
        copy._chats = {
            name: chat.copy(self._virtual, self._average) for name, chat in self._chats.items()
        }
        copy._known = self._known
        return copy

    @property
    def fairness(self) -> float:
        """Jain's index of what waiting chats have had of their fair shares: 1 is fair, 1/n is not.

        A fair share is what all who wait have had on average since the chat began to wait.
        """
        shares = [
            (chat.all - chat.joined) / (self._average - chat.joined)
            for chat in self._chats.values()
            if chat.waiting and self._average > chat.joined
        ]
        squares = sum(share * share for share in shares)
        return sum(shares) ** 2 / (len(shares) * squares) if squares else 1.0

    # --- accounts ---------------------------------------------------------------------------------

    def _start(self, chat: Hashable, user: Hashable) -> tuple[float, float]:
        """The tags with which a user's next job stands or would stand in line."""
        account = self._chats.get(chat)
        if account is None:
            return self._virtual, 0.0
        within = account.users.get(user)
        user_tag = account.virtual if within is None else max(within.tag, account.virtual)
        return max(account.turns, self._virtual), user_tag

    def _enter(self, waiting: W) -> tuple[_Chat, _User]:
        """Count a job in; the accounts of its chat and its user."""
        chat = self._chats.get(waiting.chat)
        if chat is None:
            chat = self._chats[waiting.chat] = _Chat(self._virtual, self._average)
        if not chat.waiting:
            self._chats_waiting += 1
            if not self._rehearses:
                chat.come(self._virtual, self._average)
            chat.joined = chat.all
        user = chat.users.get(waiting.user)
        if user is None:
            user = chat.users[waiting.user] = _User(chat.virtual)
            self._known += 1
            if self._known > 256 and self._known > 4 * self._users_waiting:
                self._forget_the_absent(keep=user)
        if not user.waiting:
            self._users_waiting += 1
            chat.users_waiting += 1
            if user.tag < chat.virtual and not self._rehearses:
                user.tag = chat.virtual
        chat.waiting += 1
        user.waiting += 1
        return chat, user

    def _leave(self, waiting: W, lane: _Lane) -> None:
        """Count a job out and unlink it."""
        lane.size -= 1
        self._size -= 1
        self.cost = self.cost - waiting.cost if self._size else 0.0
        if not lane.size:
            del self._lanes[waiting.lane]
        chat = self._chats[waiting.chat]
        user = chat.users[waiting.user]
        chat.waiting -= 1
        user.waiting -= 1
        self._chats_waiting -= not chat.waiting
        self._users_waiting -= not user.waiting
        chat.users_waiting -= not user.waiting
        line = waiting._line
        assert line is not None
        line.remove(waiting)
        if isinstance(line, _UserLine) and line.first is None:
            chat_line = lane.chats[waiting.chat]
            del chat_line.users[waiting.user]
            line.key = math.nan  # whatever the heap still holds of it is void
            if len(chat_line.heap) > 32 and len(chat_line.heap) > 4 * len(chat_line.users):
                chat_line.heap = [each for each in chat_line.heap if each[0] == each[2].key]
                heapq.heapify(chat_line.heap)
            if not chat_line.users:
                lane.shut(chat_line)

    def _head_of_chat(self, chat: _ChatLine) -> W:
        while True:
            key, _, user = chat.heap[0]
            if key != user.key:
                heapq.heappop(chat.heap)
            elif key < user.account.tag:
                user.key = user.account.tag
                heapq.heapreplace(chat.heap, (user.key, next(_ticks), user))
            else:
                return user.first  # type: ignore[return-value]

    def _move_forward(self, chat: Hashable, user: Hashable) -> None:
        """A tag has become smaller: tell the heaps (larger ones they find out by themselves)."""
        for lane in self._lanes.values():
            chat_line = lane.chats.get(chat)
            if chat_line is None:
                continue
            lane.move_forward(chat_line)
            line = chat_line.users.get(user)
            if line is not None and line.account.tag < line.key:
                line.key = line.account.tag
                heapq.heappush(chat_line.heap, (line.key, next(_ticks), line))

    def _forget_the_absent(self, keep: _User) -> None:
        """Drop accounts that mean nothing any more; where that frees little, the smallest debts.

        Who does not wait and whom the virtual time has overtaken starts there when he comes back.
        """
        absent: list[tuple[float, Hashable, Hashable]] = []
        for name, chat in self._chats.items():
            for other, user in chat.users.items():
                if not user.waiting and user is not keep:
                    absent.append((user.tag - chat.virtual, name, other))
        absent.sort(key=lambda each: each[0])
        for index, (debt, name, other) in enumerate(absent):
            if debt <= 0 or index < len(absent) // 2:
                del self._chats[name].users[other]
                self._known -= 1
        for name in [name for name, chat in self._chats.items() if not chat.users]:
            account = self._chats[name]
            if account.turns <= self._virtual and account.all <= self._average:
                del self._chats[name]


_order = operator.attrgetter("order")


def _by_tag(each: tuple[Any, ...]) -> tuple[float, int]:
    return each[0], each[1]
