"""The queue on a virtual clock: hours of a full classroom in milliseconds, the same every time.

`VirtualLoop` is an asyncio event loop whose clock stands still while there is something to do and
jumps to the next timer when there is not. Where a program would wait for ever, it raises
`NothingWillHappen`: that is how a lost wake-up shows itself.

`SimulatedEngine` gives the queue workers on that clock. They are not imitations: each runs the real
loop, `inference.worker.Worker`, with real (if trivial) models, in a greenlet of its own. Where a
process would block on its socket, or compute, the greenlet is put aside until a message arrives or
until the virtual seconds have passed. A worker dies by being put aside for good, with all that it
had in hand; what it had sent before still arrives, as it does on a socket.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import selectors
import traceback
import types
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar
from unittest import mock

import greenlet

import inference.queue
import inference.worker
from inference.engines import Heard, Lost
from inference.jobs import Job, OutOfMemory, Owner, Progress, Token
from inference.model import JobId, Model, OneStepModel, Result, Session, SessionEvent
from inference.tasks import Task, Variant
from inference.wire import Message, Unpacker, pack, unseal
from inference.worker import Worker, WorkerOptions

T = TypeVar("T")
MODULE = "tests.inference.simulation"

EPOCH = 1000.0  # where the clock begins; a loop's clock is never 0
GOOD_BATCHES = 50  # of a size, after which the queue may try one that is larger by one
TURNS = 100_000  # rounds of the loop at one instant, after which time is said to stand still


# --- the clock ------------------------------------------------------------------------------------


class NothingWillHappen(Exception):
    """Somebody waits, no callback is ready and no timer is set: he would wait for ever."""


class TimeStandsStill(Exception):
    """Callbacks call each other without end, and the clock never moves."""


class TooLate(Exception):
    """The clock has passed the horizon, and the program has not ended."""


class _Jump(selectors.DefaultSelector):
    """A selector that never waits: it moves the loop's clock instead."""

    loop: VirtualLoop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or (timeout is not None and timeout <= 0):
            self.loop.turn()
            return ready
        self.loop.jump(timeout)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop on a virtual clock that begins at `EPOCH`.

    `horizon`: virtual seconds from then on after which `TooLate` is raised: periodic timers never
    end, so that something may go on happening after a wake-up was lost.
    `watchers` are called at every instant, when all its callbacks have run, before the clock moves.
    `errors` collects what callbacks raised, and tasks that nobody asked for their exception.
    `over`: the program has ended or failed; what is left of it is only being cancelled.
    """

    def __init__(self, horizon: float = 1e4) -> None:
        self._now = EPOCH
        self._turns = 0
        self.over = False
        self.horizon = EPOCH + horizon
        self.watchers: list[Callable[[], None]] = []
        self.errors: list[Mapping[str, Any]] = []
        selector = _Jump()
        selector.loop = self
        super().__init__(selector)
        self.set_exception_handler(lambda _, context: self.errors.append(context))

    def time(self) -> float:
        return self._now

    def turn(self) -> None:
        """Another round at the same instant."""
        self._complain()
        self._turns += 1
        if self._turns > TURNS:
            self._turns = 0
            self._fail(TimeStandsStill(f"at {self._now:g} s; {self._who_waits()}"))

    def jump(self, seconds: float | None) -> None:
        """All callbacks of this instant have run; the next timer is due in `seconds`."""
        self._complain()
        self._turns = 0
        if not self.over:
            for watcher in self.watchers:
                watcher()
        if seconds is None:
            self._fail(NothingWillHappen(f"at {self._now:g} s; {self._who_waits()}"))
        elif self._now + seconds > self.horizon and not self.over:
            self._fail(TooLate(f"at {self._now:g} s; {self._who_waits()}"))
        else:
            self._now += seconds

    def _fail(self, error: Exception) -> None:
        self.over = True
        raise error

    def _complain(self) -> None:
        """Raise what callbacks have raised, which asyncio would only log."""
        if self.errors and not self.over:
            messages = "; ".join(str(context.get("message")) for context in self.errors)
            raised = [context.get("exception") for context in self.errors]
            causes = [error for error in raised if isinstance(error, Exception)]
            self._fail(ExceptionGroup(messages, causes) if causes else RuntimeError(messages))

    def _who_waits(self) -> str:
        lines = []
        for task in asyncio.all_tasks(self):
            frames = task.get_stack(limit=1)
            where = f"{frames[0].f_code.co_qualname}:{frames[0].f_lineno}" if frames else "?"
            lines.append(f"{task.get_name()} in {where}")
        return "waiting: " + ("; ".join(sorted(lines)) or "nobody")


def run(main: Callable[[], Awaitable[T]], *, horizon: float = 1e4) -> T:
    """Run `main()` on a virtual clock of its own, to its end.

    Raises:
        NothingWillHappen: it waits for something that nobody will do.
        TooLate: it has not ended after `horizon` virtual seconds.
        ExceptionGroup: a callback raised, or a task failed unseen.
        BaseException: whatever `main` raises.
    """
    loops: list[VirtualLoop] = []

    def new_loop() -> VirtualLoop:
        loops.append(VirtualLoop(horizon))
        return loops[-1]

    async def body() -> T:
        try:
            result = await main()
            await asyncio.sleep(0.001)  # one more instant, for what callbacks may have raised
            return result
        finally:
            loops[0].over = True

    with _virtual(loops), asyncio.Runner(loop_factory=new_loop) as runner:
        return runner.run(body())


@contextlib.contextmanager
def _virtual(loops: Sequence[VirtualLoop]) -> Iterator[None]:
    """Give the worker and the queue the virtual clock where they ask for a real one."""

    def now() -> float:
        return loops[-1].time()

    clock = types.SimpleNamespace(perf_counter=now, monotonic=now, time=now, sleep=pause)
    system = types.SimpleNamespace(**vars(os))
    system._exit = lambda code: here().exit(f"exit code {code}")
    with contextlib.ExitStack() as stack:
        stack.enter_context(mock.patch.object(inference.worker, "time", clock))
        stack.enter_context(mock.patch.object(inference.queue, "time", clock))
        stack.enter_context(mock.patch.object(inference.worker, "os", system))
        # A worker collects garbage when it evicts a model. Here that is the whole test run's.
        stack.enter_context(mock.patch.object(inference.worker, "gc", mock.Mock()))
        logging.disable(logging.CRITICAL)  # thousands of failures are on purpose
        stack.callback(logging.disable, logging.NOTSET)
        yield


# --- workers --------------------------------------------------------------------------------------


class Process(greenlet.greenlet):
    """A worker's life, from birth to death. It is the `end` that the worker speaks through."""

    def __init__(self, link: SimulatedLink) -> None:
        super().__init__()
        self.link = link
        self.killed = False
        self._inbox: deque[Any] = deque()
        self._reads = False  # put aside until a message arrives
        self._gone = False  # the queue has closed its end

    def run(self) -> None:
        try:
            Worker(self, self.link.options).run()
        except greenlet.GreenletExit:
            return
        except EOFError:
            if not self._gone:
                raise
        except Exception as error:  # a real process would end with a traceback
            self.link.engine.crashes.append("".join(traceback.format_exception(error)))
            self.die(f"it crashed: {error!r}")
        else:
            self.die("it has ended")

    # --- what the worker calls

    def receive(self, wait: bool) -> list[Any]:
        """All messages that have arrived; with `wait`, at least one."""
        while wait and not self._inbox:
            if self._gone:
                raise EOFError
            self._reads = True
            self._put_aside()
            self._reads = False
        messages = list(self._inbox)
        self._inbox.clear()
        return messages

    def send(self, messages: list[Any]) -> None:
        """Send a frame."""
        if messages and not self.killed:
            self.link.carry(_travelled(list(messages)))

    def pause(self, seconds: float) -> None:
        """Compute for so long."""
        self.link.loop.call_later(seconds, self._resume)
        self._put_aside()

    def exit(self, reason: str) -> None:
        """End at once, in the middle of whatever the worker does, as `os._exit` does."""
        self.die(reason)
        self._put_aside()  # and nobody takes it up again
        raise AssertionError("a dead process was resumed")

    # --- what happens to it

    def begin(self) -> None:
        self._resume()

    def deliver(self, messages: list[Any]) -> None:
        self._inbox.extend(messages)
        if self._reads:
            self._resume()

    def hang_up(self) -> None:
        """The queue's end of the socket has closed."""
        self._gone = True
        if self._reads:
            self._resume()

    def die(self, reason: str) -> None:
        """It is gone, with all that it had in hand. What it has sent arrives, and then the news."""
        if not self.killed:
            self.killed = True
            self.link.died(self, reason)

    def bury(self) -> None:
        """Unwind its stack; what it says while it does so is not heard."""
        self.killed = True
        if self and greenlet.getcurrent() is not self:
            self.throw(greenlet.GreenletExit)

    def _resume(self) -> None:
        if not self.killed:
            self.parent = greenlet.getcurrent()
            self.switch()

    def _put_aside(self) -> None:
        assert self.parent is not None
        self.parent.switch()


def _travelled(frame: list[Message]) -> list[Message]:
    """The frame as it comes out at the other end of a socket."""
    (copy,) = Unpacker().feed(b"".join(pack(frame)))
    return copy


def here() -> Process:
    """The process that the caller runs in."""
    process = greenlet.getcurrent()
    assert isinstance(process, Process), "models of the simulation live in its workers"
    return process


def pause(seconds: float) -> None:
    """Let the virtual worker compute for so long."""
    if seconds > 0:
        here().pause(seconds)


class SimulatedLink:
    """One worker on the virtual clock; see `inference.engines.Link`.

    `pid` is None: there is no process. `said` and `heard` hold all messages, with their times.
    """

    pid = None

    def __init__(
        self, engine: SimulatedEngine, options: WorkerOptions, heard: Heard, lost: Lost
    ) -> None:
        self.engine = engine
        self.options = options
        self.loop = asyncio.get_running_loop()
        self.ready = False
        self.closed = False
        self.process: Process | None = None
        #: sessions and their jobs, as the queue must see them
        self.in_hand: dict[int, Hand] = {}
        #: by model: half of what did not fit into memory, and how many batches of that size since
        self.caps: dict[str, tuple[int, int]] = {}
        self.deaths = 0
        self._deaths_at_birth = 0
        self._heard = heard
        self._lost = lost
        self._outgoing: list[Message] = []
        self._incoming: deque[tuple[Callable[..., None], tuple[Any, ...]]] = deque()
        self._known: set[str] = set()
        self.loop.call_later(engine.birth, self._bear)

    @property
    def hopeless(self) -> bool:
        return self._deaths_at_birth >= 4

    def send(self, *messages: Any) -> None:
        for message in messages:
            self._send(message)

    def _send(self, message: Any) -> None:
        assert not self.closed, f"{message[0]} is sent through a closed link"
        if not self.ready:
            assert message[0] == "cancel", f"{message[0]} is sent to a worker that is not there"
            return
        self.engine.sent(self, message)
        if not self._outgoing:
            self.loop.call_later(self.engine.latency, self._deliver, self.process)
        self._outgoing.append(message)

    def kill(self, reason: str) -> None:
        self.engine.kills.append(reason)
        self.die(reason)

    def die(self, reason: str) -> None:
        """As by kill -9."""
        if self.process is not None and not self.closed:
            self.process.die(reason)
            self.process.bury()

    async def close(self) -> None:
        self.closed = True
        self.ready = False
        if self.process is not None:
            self.process.deliver([("stop",)])
            await asyncio.sleep(self.engine.latency)
            self.process.bury()

    # --- what its process calls

    def carry(self, frame: list[Message]) -> None:
        """A frame is on its way to the queue."""
        self._post(self._arrived, frame)

    def died(self, process: Process, reason: str) -> None:
        """The news of a death, on its way after the last frame."""
        if not self.closed:
            self.deaths += 1
            self._post(self._mourn, process, reason)

    # ---

    def _post(self, arrive: Callable[..., None], *what: Any) -> None:
        """Let something arrive after what was sent earlier (equal timers have no order)."""
        self._incoming.append((arrive, what))
        self.loop.call_later(self.engine.latency, self._next_arrives)

    def _next_arrives(self) -> None:
        arrive, what = self._incoming.popleft()
        arrive(*what)

    def _bear(self) -> None:
        if self.closed:
            return
        self.process = Process(self)
        if self.engine.stillborn > 0:
            self.engine.stillborn -= 1
            self.process.die("it dies at birth")
        else:
            self.process.begin()

    def _deliver(self, process: Process) -> None:
        if process is self.process:
            messages, self._outgoing = self._outgoing, []
            if not process.killed:
                process.deliver(_travelled(messages))

    def _arrived(self, frame: list[Any]) -> None:
        if self.closed:
            return
        if frame[0][0] == "ready":
            self.ready = True
            self._deaths_at_birth = 0
        for message in frame:
            self.engine.heard(self, message)
        self._heard(frame)

    def _mourn(self, process: Process, reason: str) -> None:
        if self.closed:
            return
        process.bury()
        if not self.ready:
            self._deaths_at_birth += 1
        self.ready = False
        self.process = None
        self._outgoing = []
        # The operating system takes a moment to say how the process has ended.
        self.loop.call_later(self.engine.latency, self._over, reason)

    def _over(self, reason: str) -> None:
        if self.closed:
            return
        self.in_hand.clear()
        self.caps.clear()
        self._known.clear()
        self._lost(reason)
        pause = self.engine.birth * (2**self._deaths_at_birth if self._deaths_at_birth else 1)
        self.loop.call_later(pause, self._bear)


@dataclass(slots=True, eq=False)
class Computation:
    """What a worker really did: a batch in one go, or one step of a session."""

    task: str
    device: str
    numbers: tuple[int, ...]  # of the jobs' asks
    began: float
    ended: float = float("inf")  # stays infinite if it died or raised in it
    good: bool = False


@dataclass(slots=True, eq=False)
class Hand:
    """A session that a worker has in hand, and those of its jobs that it has not let go of."""

    key: str
    kind: str
    jobs: dict[int, Ask] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class Dispatch:
    """A "run" that the queue has sent."""

    at: float
    device: str
    key: str
    kind: str
    session: int
    jobs: tuple[int, ...]
    asks: tuple[Ask, ...]
    joins: bool  # a running session


class SimulatedEngine:
    """Workers on the virtual clock, in number and manners to be ordered.

    `names`: the devices of every room.
    `latency`: seconds a message takes either way.
    `birth`: seconds from start to ready.
    `stillborn`: so many of the next births fail.
    `budget`: bytes for resident models, of each worker.
    `elastic`: whether `names` may grow later.

    `computations`, `dispatches`, `crashes` (tracebacks of workers: there should be none) and
    `kills` (reasons that the queue gave) tell afterwards what happened. `on_run` is called with
    every batch that is sent.
    """

    def __init__(
        self,
        devices: int = 1,
        *,
        latency: float = 1e-4,
        birth: float = 1.0,
        stillborn: int = 0,
        budget: int = 1 << 40,
        elastic: bool = False,
    ) -> None:
        self.names = [f"simulated:{number}" for number in range(devices)]
        self.latency = latency
        self.birth = birth
        self.stillborn = stillborn
        self.budget = budget
        self.links: list[SimulatedLink] = []
        self.computations: list[Computation] = []
        self.dispatches: list[Dispatch] = []
        self.crashes: list[str] = []
        self.kills: list[str] = []
        self.closed = False
        self.elastic = elastic
        self.on_run: Callable[[SimulatedLink, Dispatch], None] = lambda link, run: None

    async def devices(self, room: str) -> Sequence[str]:
        return list(self.names)

    def open(self, options: WorkerOptions, heard: Heard, lost: Lost) -> SimulatedLink:
        assert not self.closed
        link = SimulatedLink(self, options, heard, lost)
        self.links.append(link)
        return link

    async def close(self) -> None:
        assert all(link.closed for link in self.links)
        self.closed = True

    # --- what is said, checked against the contract

    def sent(self, link: SimulatedLink, message: Any) -> None:
        """A message leaves the queue; one that breaks the contract fails the test here."""
        match message:
            case ("model", str(key), Variant(), _):
                link._known.add(key)
            case ("run", int(session), str(key), list(jobs), list(payloads), str(kind)):
                assert key in link._known, f"run of {key} before its model was declared"
                assert jobs and len(jobs) == len(payloads)
                assert len(set(jobs)) == len(jobs), "a job twice in one batch"
                for other in self.links:
                    for hand in other.in_hand.values():
                        assert not hand.jobs.keys() & set(jobs), "a job is at two places at once"
                cap, good = link.caps.get(key, (len(jobs), 0))
                assert len(jobs) <= cap + good // GOOD_BATCHES, "that has not fitted already"
                asks = tuple(unseal(payload) for payload in payloads)
                at = link.loop.time()
                device = link.options.device
                joins = session in link.in_hand
                hand = link.in_hand.setdefault(session, Hand(key, kind))
                assert (hand.key, hand.kind) == (key, kind), "a session of two models"
                hand.jobs.update(zip(jobs, asks, strict=True))
                assert len({ask.kind for ask in hand.jobs.values()}) == 1, "batch keys are mixed"
                run = Dispatch(at, device, key, kind, session, tuple(jobs), asks, joins)
                self.dispatches.append(run)
                self.on_run(link, run)
            case ("cancel", int()) | ("stop",):
                pass
            case _:
                raise AssertionError(f"no such message: {message!r:.200}")

    def heard(self, link: SimulatedLink, message: Any) -> None:
        """A message reaches the queue."""
        match message:
            case ("result" | "error" | "dropped", job, *_):
                for hand in link.in_hand.values():
                    hand.jobs.pop(job, None)
            case ("failed", session, failed, error, _):
                hand = link.in_hand[session]
                if isinstance(error, OutOfMemory) and len(failed) > 1 and hand.kind == "short":
                    link.caps[hand.key] = len(failed) // 2, 0
                for job in failed:
                    link.in_hand[session].jobs.pop(job, None)
            case ("end", session, _, size, _):
                if session in link.in_hand and (key := link.in_hand[session].key) in link.caps:
                    cap, good = link.caps[key]
                    link.caps[key] = cap, good + (size >= cap)
                # A newcomer may have been on his way to it just then.
                if session in link.in_hand and not link.in_hand[session].jobs:
                    del link.in_hand[session]


# --- models ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ask:
    """A payload. The answer to it is `answer(ask)`, whoever computes it and with whom.

    `seconds`: device time of this job beside what its batch costs anyway (of every step, where
        work goes in steps).
    `steps`: of stepped work; each says one word.
    `deed`: "poison" raises for the whole batch, "bad" for itself, "die" ends the process, "hang"
        never comes back, "reject" raises where a session admits it, "assertion" loses the device.
    `kind`: the batch key. `seed`: the share key, if any.
    """

    number: int
    seconds: float = 0.0
    steps: int = 1
    deed: str = ""
    kind: int = 0
    seed: int | None = None


def answer(ask: Ask) -> str:
    """The right result: of the job's own number, or of its seed where equal seeds share a run."""
    return f"answer {ask.number}" if ask.seed is None else f"seeded {ask.seed}"


def words(ask: Ask) -> str:
    """The text that stepped work streams."""
    return "".join(f"{step} " for step in range(ask.steps))


def _misbehave(asks: Sequence[Ask], fits: int, computation: Computation) -> None:
    deeds = {ask.deed for ask in asks}
    if len(asks) > fits:
        raise MemoryError(f"{len(asks)} do not fit")
    if "die" in deeds:
        here().exit("it was told to")
    if "hang" in deeds:
        pause(1e9)
    if "poison" in deeds:
        pause(0.05)  # time to leave
        raise ValueError("poison")
    if "assertion" in deeds:
        raise RuntimeError("CUDA error: device-side assert triggered")


class Batched(OneStepModel):
    """Answers a batch in `base` + `each` · n virtual seconds, and what its asks add.

    `load`: seconds to load; `fits`: the batch above which memory runs out; "broken": raises.
    """

    def load(self, device: str) -> None:
        self.device = device
        pause(float(self.options.get("load", 0)))
        if self.options.get("broken"):
            raise RuntimeError("no such file")

    def predict(self, inputs: Sequence[Ask]) -> Sequence[Any]:
        loop = here().link.loop
        numbers = tuple(ask.number for ask in inputs)
        done = Computation(self.options["task"], self.device, numbers, loop.time())
        here().link.engine.computations.append(done)
        base, each = float(self.options.get("base", 0.1)), float(self.options.get("each", 0))
        assert len({ask.kind for ask in inputs}) == 1, "batch keys are mixed"
        _misbehave(inputs, int(self.options.get("fits", 1 << 30)), done)
        pause(base + sum(each + ask.seconds for ask in inputs))
        done.ended = loop.time()
        done.good = True
        return [ValueError("bad") if ask.deed == "bad" else answer(ask) for ask in inputs]


class Stepped(Model):
    """Works in steps of `base` + `each` · n virtual seconds, a word and a progress in each."""

    def load(self, device: str) -> None:
        self.device = device
        pause(float(self.options.get("load", 0)))

    def start(self, batch: Mapping[JobId, Ask]) -> Session:
        session = _Steps(self)
        session.admit(batch)
        return session


class _Steps(Session):
    def __init__(self, model: Stepped) -> None:
        self._model = model
        self._left: dict[JobId, tuple[int, Ask]] = {}
        self._kind: set[int] = set()

    def admit(self, batch: Mapping[JobId, Ask]) -> None:
        if any(ask.deed == "reject" for ask in batch.values()):
            raise ValueError("rejected")
        self._kind |= {ask.kind for ask in batch.values()}
        assert len(self._kind) == 1, "batch keys are mixed"
        if len(self._left) + len(batch) > int(self._model.options.get("fits", 1 << 30)):
            raise MemoryError(f"{len(self._left) + len(batch)} do not fit")
        self._left |= {job: (0, ask) for job, ask in batch.items()}

    def step(self) -> list[SessionEvent]:
        options = self._model.options
        loop = here().link.loop
        asks = [ask for _, ask in self._left.values()]
        numbers = tuple(ask.number for ask in asks)
        done = Computation(options["task"], self._model.device, numbers, loop.time())
        here().link.engine.computations.append(done)
        pause(float(options.get("base", 0.1)) / 2)  # half a step passes before anything happens
        _misbehave(asks, 1 << 30, done)
        each = float(options.get("each", 0))
        pause(float(options.get("base", 0.1)) / 2 + sum(each + ask.seconds for ask in asks))
        done.ended = loop.time()
        done.good = True
        events: list[SessionEvent] = []
        for job, (step, ask) in list(self._left.items()):
            if ask.deed == "bad":
                del self._left[job]
                events.append((job, ValueError("bad")))
                continue
            if options.get("talks", True):
                events.append((job, Token(f"{step} ")))
            events.append((job, Progress((step + 1) / ask.steps)))
            self._left[job] = (step + 1, ask)
            if step + 1 == ask.steps:
                del self._left[job]
                events.append((job, Result(answer(ask))))
        return events

    @property
    def jobs(self) -> frozenset[JobId]:
        return frozenset(self._left)

    def cancel(self, job: JobId) -> None:
        self._left.pop(job, None)


def task(name: str, entry: str = "Batched", **settings: Any) -> Task:
    """A task of one variant; `max_batch` and `memory` go to the variant, other words to the model.

    What `Task` knows (`long`, `continuous`, `room`, `timeout`) goes to the task.
    """
    of_task = {
        key: settings.pop(key)
        for key in ("long", "continuous", "room", "timeout")
        if key in settings
    }
    of_variant = {key: settings.pop(key) for key in ("max_batch", "memory") if key in settings}
    variant = Variant(
        name=name, entry=f"{MODULE}:{entry}", options={"task": name, **settings}, **of_variant
    )
    return Task(
        name=name,
        variants={"embedded": variant},
        batch_key=lambda ask: ask.kind,
        share_key=lambda ask: ask.seed,
        **of_task,
    )


def job(task_name: str, ask: Ask, user: str = "ada", chat: str = "room") -> Job:
    return Job(task=task_name, payload=ask, owner=Owner(user, chat))
