"""Which job runs next, and with whom: the decisions of the queue, without clocks or processes.

**Fair by device time.** The device is shared between *chats*, and a chat's share between its
*users*, by hierarchical start-time fair queueing (Goyal, Vin & Cheng, SIGCOMM 1996; Goyal, Guo &
Vin, OSDI 1996). Chats and users have a tag, in device seconds. The chat with the smallest tag is
next, in it the user with the smallest tag, of his jobs the oldest: it is their *turn*. A turn moves
both tags on by what it costs: by the expected cost at once, corrected when the worker has measured
the true one. Whoever comes (back) starts at the virtual time of his level at the earliest, so an
absence saves nothing up. Hence a user's hundredth job stands behind a newcomer's first.

**The virtual time** is the tag of whoever had the last turn, or how far all who wait would have
come if what was measured had been shared among them equally (as in weighted fair queueing; Demers,
Keshav & Shenker, SIGCOMM 1989), whichever is more: so it goes on even if everybody comes but once.

**In batches.** Jobs of one *lane* may share a batch. A turn is a whole batch: its first job decides
the lane, and its chat and its user pay for all of it. The other seats go one by one to the lane's
jobs, of the chat, and in it the user, that has had the least device time in all since it is in that
lane. Who *rides along* in the turn of another pays nothing: a seat is given where otherwise nobody
would sit, it makes the batch little longer (`inference.costs` sees to it that a batch is no larger
than it pays), and if it were charged, a chat of which somebody always rides along would never have
a turn of its own, and its users in other lanes would starve.

**Advantages.** A lane may be *lifted* by some seconds, as by an instructor who wants one exercise
to go first, and a worker may favour lanes whose model it has in memory. Both subtract seconds from
the tag by which lanes are compared, and change no account ("borrowed virtual time", Duda &
Cheriton, SOSP 1999): what is borrowed is charged.

**Bounds.** Let L be the largest cost of a turn plus the largest error of the estimates in flight,
and B the largest advantage of a lane over another.

- While two chats wait, the turns of neither take more device time than those of the other by more
  than 2 L + B (Goyal, Vin & Cheng, theorem 1, with the batch as the packet); likewise two users of
  a chat. Where k chats have come for one job each and gone, the virtual time is up to L · ln k
  ahead of those who stayed, and by that a newcomer starts behind them.
- No starvation. A job whose user has K device seconds of turns before it, in a chat of u users,
  one chat of c, waits for at most c · (u · (K + L + B) + L + B) device seconds. For whoever waits,
  a tag stands still; for whoever has the turn instead, it grows; and newcomers, who have no tag
  yet, get the virtual time, which grows by 1/c (in the chat, 1/u) of all that is measured.

Both suppose that whoever is next can begin. Where that lane has to wait for a place (long work for
the one place of long work, say) others go first meanwhile; that saves up no more than `CREDIT`.

Putting in, taking out and dispatching cost O(log n) for n waiting; choosing the lane O(lanes).
"""

from __future__ import annotations

import heapq
import itertools
import math
import operator
from collections.abc import Callable, Hashable, Iterator
from typing import Any, Generic, Self, TypeVar

LEAST_COST = 1e-6  # device seconds; what costs nothing could be served for ever
CREDIT = 30.0  # device seconds that can be saved up by waiting for a place
KNOWN = 256  # accounts of absent users from which on some are forgotten
HEAP = 32  # entries up to which a heap may hold what is void

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
        "measured",
        "order",
        "turn",
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
        self.charged = 0.0  # device seconds that have been charged for it
        self.measured = False  # whether that is what it took, and not what was expected
        self.turn: Turn | None = None  # in which it was taken
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


# --- accounts -------------------------------------------------------------------------------------


class _Account:
    """What somebody has had, in device seconds: in turns of his own, and in all.

    `tick` breaks ties: who was charged longer ago goes first.
    """

    __slots__ = ("all", "tag", "tick", "waiting")

    def __init__(self, tag: float, tick: int) -> None:
        self.tag = tag
        self.all = 0.0
        self.tick = tick
        self.waiting = 0  # jobs in line

    def copy(self) -> Self:
        """The same, and nothing in line."""
        copy = type(self)(self.tag, self.tick)
        copy.all = self.all
        return copy


class _Group(_Account):
    """A chat, and also all chats together: those who share it, and their virtual time."""

    __slots__ = ("joined", "members", "members_waiting", "virtual")

    def __init__(self, tag: float, tick: int) -> None:
        super().__init__(tag, tick)
        self.virtual = 0.0
        self.members: dict[Hashable, Any] = {}
        self.members_waiting = 0
        self.joined = (0.0, 0.0)  # what it had had, and all had had on average, when it came

    def copy(self) -> Self:
        copy = super().copy()
        copy.virtual = self.virtual
        copy.joined = self.joined
        return copy

    def enter(self, member: _Account) -> None:
        """One more job of a member waits."""
        self.members_waiting += not member.waiting
        member.waiting += 1

    def leave(self, member: _Account) -> None:
        member.waiting -= 1
        self.members_waiting -= not member.waiting

    def lead(self, member: _Account) -> None:
        """It is a member's turn."""
        # Who has waited for a place while others went on is not paid back all of it.
        member.tag = max(member.tag, self.virtual - CREDIT)
        self.virtual = max(self.virtual, member.tag)
        member.tick = next(_ticks)


class Turn:
    """A batch, who pays for it, and who waited when it was taken."""

    __slots__ = ("chat", "chat_name", "chats", "user", "user_name", "users")

    def __init__(
        self, chat_name: Hashable, chat: _Group, user_name: Hashable, user: _Account, chats: int
    ) -> None:
        self.chat_name = chat_name
        self.chat = chat
        self.user_name = user_name
        self.user = user
        self.chats = chats
        self.users = chat.members_waiting


# --- lines ----------------------------------------------------------------------------------------


class _Line:
    """The waiting jobs of one account in one lane.

    `account.all + offset` is its place for a seat; the keys are what heaps know it by.
    """

    __slots__ = ("account", "offset", "seat_key", "turn_key")

    def __init__(self, account: Any) -> None:
        self.account = account
        self.offset = self.turn_key = self.seat_key = 0.0

    def __lt__(self, other: _Line) -> bool:
        return False  # heaps compare two only when all before is equal, as with what is void


class _UserLine(_Line):
    """A user's waiting jobs of one lane, oldest first."""

    __slots__ = ("first", "last")

    def __init__(self, account: _Account) -> None:
        super().__init__(account)
        self.first: Waiting | None = None
        self.last: Waiting | None = None

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


class _GroupLine(_Line):
    """The waiting jobs of a group in one lane: by whose turn it is, and by who gets a seat.

    A heap holds a member with the key that it had; what has changed since is put right when it is
    seen. Keys that have become smaller are pushed again, and what is void has another key.
    """

    __slots__ = ("members", "seats", "served", "turns")

    def __init__(self, account: _Group) -> None:
        super().__init__(account)
        self.members: dict[Hashable, Any] = {}
        self.turns: list[tuple[float, int, Any]] = []
        self.seats: list[tuple[float, int, Any]] = []
        self.served = 0.0  # the place of whoever got the last seat: where newcomers begin

    def open(self, name: Hashable, line: Any, offset: float | None = None) -> None:
        """A member's first job of this lane is about to come."""
        self.members[name] = line
        account = line.account
        line.offset = self.served - account.all if offset is None else offset
        line.turn_key = account.tag
        line.seat_key = account.all + line.offset
        heapq.heappush(self.turns, (line.turn_key, account.tick, line))
        heapq.heappush(self.seats, (line.seat_key, account.tick, line))

    def shut(self, name: Hashable) -> None:
        """A member has no more jobs in this lane."""
        line = self.members.pop(name)
        line.turn_key = line.seat_key = math.nan  # whatever the heaps still hold of it is void
        self._tidy()

    def move_forward(self, line: Any) -> None:
        """A member's tags may have become smaller (larger ones are found out)."""
        account = line.account
        if account.tag < line.turn_key:
            line.turn_key = account.tag
            heapq.heappush(self.turns, (line.turn_key, account.tick, line))
        seat = account.all + line.offset
        if seat < line.seat_key:
            line.seat_key = seat
            heapq.heappush(self.seats, (seat, account.tick, line))
        if len(self.turns) + len(self.seats) > HEAP:
            self._tidy()

    def next_turn(self) -> Any:
        """The member whose turn it is; there is one."""
        heap = self.turns
        while True:
            key, tick, line = heap[0]
            account = line.account
            if key != line.turn_key:  # it has moved forward, or gone
                heapq.heappop(heap)
            elif key < account.tag or tick != account.tick:  # it has had a turn since
                line.turn_key = account.tag
                heapq.heapreplace(heap, (line.turn_key, account.tick, line))
            else:
                return line

    def next_seat(self) -> Any:
        """The member that gets the next seat; there is one."""
        heap = self.seats
        while True:
            key, tick, line = heap[0]
            if key != line.seat_key:
                heapq.heappop(heap)
            else:
                account = line.account
                seat = account.all + line.offset
                if key < seat or tick != account.tick:
                    line.seat_key = seat
                    heapq.heapreplace(heap, (seat, account.tick, line))
                else:
                    if key > self.served:
                        self.served = key
                    return line

    def _tidy(self) -> None:
        most = max(HEAP, 4 * len(self.members))
        if len(self.turns) > most:
            lines = self.members.values()
            self.turns = [(line.turn_key, line.account.tick, line) for line in lines]
            heapq.heapify(self.turns)
        if len(self.seats) > most:
            lines = self.members.values()
            self.seats = [(line.seat_key, line.account.tick, line) for line in lines]
            heapq.heapify(self.seats)


class _Again:
    """Jobs of a lane that must be repeated: before all others, in the order in which they came."""

    __slots__ = ("waiting",)

    def __init__(self) -> None:
        self.waiting: dict[Waiting, None] = {}

    def remove(self, waiting: Waiting) -> None:
        del self.waiting[waiting]
        waiting._line = None


class _Lane(_GroupLine):
    """The waiting jobs of all chats in one lane."""

    __slots__ = ("again", "lift", "size")

    def __init__(self, everybody: _Group, lift: float) -> None:
        super().__init__(everybody)
        self.size = 0
        self.lift = lift
        self.again = _Again()


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
        self._everybody = _Group(0.0, 0)
        self._average = 0.0  # what each chat that waited has had of all that was measured
        self._known = 0  # users who have an account
        self._users_waiting = 0
        self._lifts: dict[Hashable, float] = {}
        self._size = 0
        self._rehearsed: Scheduler[Any] | None = None
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
        waiting.cost = _sound(waiting.cost)
        lane = self._lanes.get(waiting.lane)
        if lane is None:
            lift = self._lifts.get(self._group(waiting.lane), 0.0)
            lane = self._lanes[waiting.lane] = _Lane(self._everybody, lift)
        chat, user = self._enter(waiting)
        lane.size += 1
        self._size += 1
        self.cost += waiting.cost
        if first:
            lane.again.waiting[waiting] = None
            waiting._line = lane.again
            return
        chat_line: _GroupLine | None = lane.members.get(waiting.chat)
        if chat_line is None:
            chat_line = _GroupLine(chat)
            lane.open(waiting.chat, chat_line, self._offset(waiting.lane, waiting.chat))
        user_line: _UserLine | None = chat_line.members.get(waiting.user)
        if user_line is None:
            user_line = _UserLine(user)
            offset = self._offset(waiting.lane, waiting.chat, waiting.user)
            chat_line.open(waiting.user, user_line, offset)
        user_line.append(waiting)

    def remove(self, waiting: W) -> None:
        """Take a job out of the line; harmless if it has left already."""
        if waiting._line is not None:
            self._leave(waiting, self._lanes[waiting.lane])
            if not waiting.measured:
                self.settle(waiting, 0.0)  # one that was to be repeated

    def take(self, lane: Hashable, most: int) -> list[W]:
        """The next jobs of a lane, at most `most`, as one batch; they are charged for."""
        batch: list[W] = []
        turn: Turn | None = None
        while len(batch) < most and (place := self._lanes.get(lane)) is not None:
            if place.again.waiting:  # they have been charged for already
                job: W = next(iter(place.again.waiting))  # type: ignore[assignment]
                if job.alone and batch:
                    break
            else:
                chat = place.next_turn() if turn is None else place.next_seat()
                user = chat.next_turn() if turn is None else chat.next_seat()
                job = user.first
                if job.alone and batch:
                    break
                if turn is None:
                    turn = self._turn(job)
                cost = job.charged = job.cost
                job.turn = turn
                job.measured = False
                turn.chat.tag += cost
                turn.user.tag += cost
                chat.account.all += cost
                user.account.all += cost
            self._leave(job, place)
            batch.append(job)
            if job.alone:
                break
        return batch

    def settle(self, waiting: W, seconds: float) -> None:
        """Charge a job that has left the line the `seconds` it took, not the expected ones."""
        turn = waiting.turn
        if turn is None or not 0.0 <= seconds < math.inf:
            return
        everybody = self._everybody
        difference = seconds - waiting.charged
        measured = difference if waiting.measured else seconds
        waiting.charged = seconds
        waiting.measured = True
        turn.chat.tag += difference
        turn.user.tag += difference
        each = measured / max(turn.chats, everybody.members_waiting, 1)
        everybody.virtual += each
        self._average += each
        turn.chat.virtual += measured / max(turn.users, turn.chat.members_waiting, 1)
        chat: _Group | None = everybody.members.get(waiting.chat)
        user: _Account | None = chat.members.get(waiting.user) if chat is not None else None
        if chat is not None:
            chat.all += difference
        if user is not None:
            user.all += difference
        if difference < 0.0:
            if turn.chat.waiting:
                self._move_forward(turn.chat_name, turn.user_name)
            if user is not turn.user and chat is not None and chat.waiting:
                self._move_forward(waiting.chat, waiting.user)

    def hasten(self, waiting: W, chat: Hashable, user: Hashable) -> None:
        """Let another user pay for a waiting job that he wants too, if that brings it forward."""
        line = waiting._line
        if not isinstance(line, _UserLine) or (chat, user) == (waiting.chat, waiting.user):
            return
        group: _Group | None = self._everybody.members.get(chat)
        account: _Account | None = group.members.get(user) if group else None
        if account is not None and account.waiting:
            return  # it would stand behind his own
        ahead = 0.0
        before = waiting._before
        while before is not None:  # his own jobs before it
            ahead += before.cost
            before = before._before
        if chat == waiting.chat:
            assert group is not None
            here = line.account.tag + ahead
            there = group.virtual if account is None else max(account.tag, group.virtual)
        else:
            now = self._everybody
            here = now.members[waiting.chat].tag + ahead
            there = now.virtual if group is None else max(group.tag, now.virtual)
        if there < here:
            self.remove(waiting)
            waiting.chat, waiting.user = chat, user
            self.push(waiting)

    def reprice(self, waiting: W, cost: float) -> None:
        """A waiting job is now expected to cost something else."""
        cost = _sound(cost)
        self.cost += cost - waiting.cost
        waiting.cost = cost

    def lift(self, group: Hashable, seconds: float) -> None:
        """Let a group of lanes go before others by `seconds` of device time; 0 ends that."""
        self._lifts[group] = seconds
        for key, lane in self._lanes.items():
            if self._group(key) == group:
                lane.lift = seconds

    def rest(self) -> None:
        """Nobody waits and nothing runs: nobody owes anything any more."""
        if not self._size:
            self._everybody = _Group(0.0, 0)
            self._average = 0.0
            self._known = 0

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
        chats = self._everybody.members
        for key in list(self._lanes):
            head = self.head(key)
            if head is None:
                continue
            lane = self._lanes[key]
            if lane.again.waiting:
                ahead.append((key, head))
                continue
            by = lane.lift + advantage(head)
            account = chats[head.chat].members[head.user]
            place = (account.tag - by, account.tick, by, key, head)
            by_chat.setdefault(head.chat, []).append(place)
        # A chat stands where its best lane stands: an advantage counts against other chats, and
        # against other users of the same.
        line: list[tuple[float, int, float, int, int, Hashable, W]] = []
        for name, places in by_chat.items():
            chat = chats[name]
            places.sort(key=lambda place: (place[0], place[1], place[4].order))
            after = -math.inf
            for tag, tick, by, key, head in places:
                after = max(after, chat.tag - by)
                line.append((after, chat.tick, tag, tick, head.order, key, head))
        line.sort(key=lambda place: place[:5])
        return ahead + [(place[5], place[6]) for place in line]

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
        head: W = place.next_turn().next_turn().first
        return head

    def all(self) -> list[W]:
        """All waiting jobs, the oldest first; repeated ones before the others, as they came."""
        again: list[W] = []
        others: list[W] = []
        for lane in self._lanes.values():
            again += lane.again.waiting  # type: ignore[arg-type]
            for chat in lane.members.values():
                for line in chat.members.values():
                    others.extend(line)
        others.sort(key=_order)
        return again + others

    def rehearsal(self) -> Scheduler[Rehearsed[W]]:
        """An empty line with the same accounts and lifts: `rehearse` the jobs and see what comes.

        What is done with it changes nothing here. Accounts are copied as their jobs come.
        """
        copy: Scheduler[Rehearsed[W]] = Scheduler(self._group)
        copy._lifts = dict(self._lifts)
        copy._everybody = self._everybody.copy()
        copy._rehearsed = self
        return copy

    @property
    def fairness(self) -> float:
        """Jain's index of what waiting chats have had of their fair shares: 1 is fair, 1/n is not.

        A fair share is what all who wait have had on average since the chat began to wait.
        """
        shares = []
        for chat in self._everybody.members.values():
            had, average = chat.joined
            if chat.waiting and self._average > average:
                shares.append((chat.all - had) / (self._average - average))
        squares = sum(share * share for share in shares)
        return sum(shares) ** 2 / (len(shares) * squares) if squares else 1.0

    # --- accounts ---------------------------------------------------------------------------------

    def _turn(self, job: Waiting) -> Turn:
        """It is a job's turn."""
        chat: _Group = self._everybody.members[job.chat]
        user: _Account = chat.members[job.user]
        turn = Turn(job.chat, chat, job.user, user, self._everybody.members_waiting)
        self._everybody.lead(chat)
        chat.lead(user)
        return turn

    def _enter(self, waiting: W) -> tuple[_Group, _Account]:
        """Count a job in; the accounts of its chat and its user."""
        everybody = self._everybody
        chat: _Group | None = everybody.members.get(waiting.chat)
        if chat is None:
            chat = everybody.members[waiting.chat] = self._chat(waiting)
        if not chat.waiting and self._rehearsed is None:
            chat.tag = max(chat.tag, everybody.virtual)
            chat.joined = (chat.all, self._average)
        everybody.enter(chat)
        user: _Account | None = chat.members.get(waiting.user)
        if user is None:
            user = chat.members[waiting.user] = self._user(waiting, chat)
            self._known += 1
            if self._known > KNOWN and self._known > 4 * self._users_waiting:
                self._forget_the_absent(keep=user)
        if not user.waiting:
            self._users_waiting += 1
            if self._rehearsed is None:
                user.tag = max(user.tag, chat.virtual)
        chat.enter(user)
        return chat, user

    def _chat(self, waiting: W) -> _Group:
        """A new account; in a rehearsal, that of the chat that is rehearsed."""
        if self._rehearsed is not None:
            known = self._rehearsed._everybody.members.get(waiting.chat)
            if known is not None:
                copy: _Group = known.copy()
                return copy
        return _Group(self._everybody.virtual, waiting.order)

    def _user(self, waiting: W, chat: _Group) -> _Account:
        if self._rehearsed is not None:
            group = self._rehearsed._everybody.members.get(waiting.chat)
            known = group.members.get(waiting.user) if group else None
            if known is not None:
                copy: _Account = known.copy()
                return copy
        return _Account(chat.virtual, waiting.order)

    def _offset(self, lane: Hashable, chat: Hashable, user: Hashable = None) -> float | None:
        """In a rehearsal: that of the line that is rehearsed."""
        line: Any = self._rehearsed._lanes.get(lane) if self._rehearsed is not None else None
        line = line.members.get(chat) if line else None
        if user is not None:
            line = line.members.get(user) if line else None
        offset: float | None = line.offset if line else None
        return offset

    def _leave(self, waiting: W, lane: _Lane) -> None:
        """Count a job out and unlink it."""
        lane.size -= 1
        self._size -= 1
        self.cost = self.cost - waiting.cost if self._size else 0.0
        if not lane.size:
            del self._lanes[waiting.lane]
        chat: _Group = self._everybody.members[waiting.chat]
        user: _Account = chat.members[waiting.user]
        self._everybody.leave(chat)
        chat.leave(user)
        self._users_waiting -= not user.waiting
        line = waiting._line
        assert line is not None
        line.remove(waiting)
        if isinstance(line, _UserLine) and line.first is None:
            chat_line: _GroupLine = lane.members[waiting.chat]
            chat_line.shut(waiting.user)
            if not chat_line.members:
                lane.shut(waiting.chat)

    def _move_forward(self, chat: Hashable, user: Hashable) -> None:
        """Tags have become smaller: tell the heaps."""
        for lane in self._lanes.values():
            chat_line: _GroupLine | None = lane.members.get(chat)
            if chat_line is None:
                continue
            lane.move_forward(chat_line)
            line: _UserLine | None = chat_line.members.get(user)
            if line is not None:
                chat_line.move_forward(line)

    def _forget_the_absent(self, keep: _Account) -> None:
        """Drop accounts that mean nothing any more; where that frees little, the smallest debts.

        Who does not wait and whom the virtual time has overtaken starts there when he comes back.
        """
        everybody = self._everybody
        absent: list[tuple[float, Hashable, Hashable]] = []
        for name, chat in everybody.members.items():
            for other, user in chat.members.items():
                if not user.waiting and user is not keep:
                    absent.append((user.tag - chat.virtual, name, other))
        absent.sort(key=lambda each: each[0])
        for index, (debt, name, other) in enumerate(absent):
            if debt <= 0 or index < len(absent) // 2:
                del everybody.members[name].members[other]
                self._known -= 1
        for name, chat in list(everybody.members.items()):
            if not chat.members and chat.tag <= everybody.virtual:
                del everybody.members[name]


_order = operator.attrgetter("order")


def _sound(cost: float) -> float:
    """A cost that can be reckoned with."""
    return cost if LEAST_COST <= cost < math.inf else LEAST_COST
