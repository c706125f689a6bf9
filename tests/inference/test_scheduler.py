"""The order in which jobs leave the line."""

from __future__ import annotations

import itertools
import random

from inference.scheduler import CREDIT, Rehearsed, Scheduler, Waiting


class Named(Waiting):
    __slots__ = ("name",)

    def __init__(
        self,
        name: str,
        user: str,
        lane: str = "a",
        cost: float = 1.0,
        chat: str = "room",
        alone: bool = False,
    ) -> None:
        super().__init__(chat, user, lane, cost, alone)
        self.name = name


Line = Scheduler[Named]


def put(line: Line, name: str, user: str, lane: str = "a", cost: float = 1.0, **more: str) -> Named:
    waiting = Named(name, user, lane, cost, **more)
    line.push(waiting)
    return waiting


def take(line: Line, most: int = 1, **sizes: int) -> list[Named]:
    """The next batch, measured to cost what was expected. `sizes`: lanes that take another most."""
    lanes = line.lanes()
    batch = line.take(lanes[0][0], sizes.get(lanes[0][0], most)) if lanes else []
    for each in batch:
        line.settle(each, each.cost)
    return batch


def drain(line: Line, most: int = 1) -> list[str]:
    names = []
    while batch := take(line, most):
        names += [each.name for each in batch]
    return names


def test_one_user_is_served_in_order() -> None:
    line = Line()
    for name in "abcde":
        put(line, name, "ada")
    assert drain(line) == list("abcde")


def test_a_newcomer_overtakes_a_heavy_user() -> None:
    line = Line()
    for number in range(100):
        put(line, f"heavy{number}", "heavy")
    for number in range(3):
        put(line, f"light{number}", "light")
    order = drain(line)
    assert [order.index(f"light{n}") for n in range(3)] == [1, 3, 5]


def test_who_has_just_been_served_at_length_lets_others_go_first() -> None:
    line = Line()
    put(line, "long", "heavy", cost=50.0)
    put(line, "keeps the line", "other")
    assert take(line)[0].name == "long"
    for number in range(10):
        put(line, f"heavy{number}", "heavy")
        put(line, f"light{number}", "light")
    order = drain(line)
    assert order.index("heavy0") > order.index("light9")


def test_shares_are_by_cost_not_by_count() -> None:
    line = Line()
    for number in range(8):
        put(line, f"dear{number}", "dear", cost=4.0)
    for number in range(32):
        put(line, f"cheap{number}", "cheap", cost=1.0)
    first = drain(line)[:20]
    # In equal device time the cheap user gets four jobs for each dear one.
    assert 15 <= sum(name.startswith("cheap") for name in first) <= 17


def test_what_was_measured_counts_and_not_what_was_expected() -> None:
    line = Line()
    for number in range(40):
        put(line, f"dear{number}", "dear")
        put(line, f"cheap{number}", "cheap")
    order = []
    while lanes := line.lanes():
        (each,) = line.take(lanes[0][0], 1)
        line.settle(each, 4.0 if each.user == "dear" else 1.0)
        order.append(each.name)
    assert 15 <= sum(name.startswith("cheap") for name in order[:20]) <= 17


def test_a_refund_brings_a_user_forward_again() -> None:
    line = Line()
    for number in range(4):
        put(line, f"ada{number}", "ada", cost=10.0)
        put(line, f"bob{number}", "bob", cost=1.0)
    first = line.take("a", 1)[0]
    assert first.name == "ada0"
    line.settle(first, 0.5)  # much less than expected
    assert take(line)[0].name == "bob0"
    assert take(line)[0].name == "ada1"


def test_the_device_is_shared_between_chats_and_then_between_their_users() -> None:
    line = Line()
    for _ in range(30):
        for user in ("a1", "a2", "a3"):
            put(line, user, user, chat="crowd")
        put(line, "alone", "alone", chat="two people")
    first = drain(line)[:60]
    assert 29 <= first.count("alone") <= 31
    assert all(9 <= first.count(user) <= 11 for user in ("a1", "a2", "a3"))


def test_a_batch_takes_one_lane_only_and_the_next_job_decides_which() -> None:
    line = Line()
    put(line, "a1", "ada", "a")
    put(line, "b1", "bob", "b")
    put(line, "a2", "cem", "a")
    assert [lane for lane, _ in line.lanes()] == ["a", "b"]
    assert [w.name for w in line.take("a", 8)] == ["a1", "a2"]
    assert [w.name for w in line.take("b", 8)] == ["b1"]
    assert not len(line)


def test_a_repeated_job_goes_first_and_alone() -> None:
    line = Line()
    for name in "abc":
        put(line, name, "ada")
    line.push(Named("again", "bob", alone=True), first=True)
    assert [w.name for w in line.take("a", 8)] == ["again"]
    assert [w.name for w in line.take("a", 8)] == ["a", "b", "c"]


def test_repeated_jobs_that_need_not_be_alone_share_a_batch_and_keep_their_order() -> None:
    line = Line()
    put(line, "other", "bob")
    for name in "abc":
        line.push(Named(name, "ada"), first=True)
    assert [w.name for w in line.take("a", 2)] == ["a", "b"]
    assert [w.name for w in line.take("a", 2)] == ["c", "other"]


def test_removed_jobs_are_forgotten() -> None:
    line = Line()
    entries = [put(line, name, "ada") for name in "abc"]
    line.remove(entries[0])
    line.remove(entries[0])
    assert len(line) == 2
    assert line.waiting_in("a") == 2
    assert drain(line) == ["b", "c"]
    assert line.waiting_in("a") == 0
    assert not line._lanes


def test_a_lifted_group_goes_first_and_pays_for_it() -> None:
    line = Line()
    for number in range(20):
        put(line, f"x{number}", "ada", "x", chat="one")
        put(line, f"y{number}", "bob", "y", chat="two")
    line.lift("y", 5.0)
    order = drain(line)
    assert order[:5] == ["y0", "y1", "y2", "y3", "y4"]
    # Five seconds ahead, and then in turn: the other one does not starve.
    assert abs(sum(name.startswith("y") for name in order[:25]) - 15) <= 1
    line.lift("y", 0.0)


def test_a_lifted_group_starves_nobody_of_the_same_chat() -> None:
    line = Line()
    for number in range(20):
        put(line, f"x{number}", "ada", "x")
        put(line, f"y{number}", "bob", "y")
    line.lift("y", 5.0)
    order = drain(line)
    assert order[:5] == ["y0", "y1", "y2", "y3", "y4"]
    assert abs(sum(name.startswith("y") for name in order[:25]) - 15) <= 1


def test_nothing_is_lost_or_served_twice_in_a_random_schedule() -> None:
    chance = random.Random(7)
    for _ in range(50):
        line = Line()
        inside: dict[str, Named] = {}
        served: list[str] = []
        for number in range(200):
            match chance.randrange(5):
                case 0 | 1:
                    inside[str(number)] = put(
                        line,
                        str(number),
                        chance.choice("xyz"),
                        chance.choice("ab"),
                        chance.random(),
                        chat=chance.choice("pq"),
                    )
                case 2 if inside:
                    line.remove(inside.pop(chance.choice(list(inside))))
                case 3 if lanes := line.lanes():
                    for waiting in line.take(lanes[0][0], chance.randrange(1, 5)):
                        served.append(waiting.name)
                        del inside[waiting.name]
                        line.settle(waiting, chance.random())
                case 4 if inside:
                    line.hasten(chance.choice(list(inside.values())), "q", chance.choice("xyz"))
            assert len(line) == len(inside) == len(line.all())
        served += drain(line, 3)
        assert len(served) == len(set(served))
        assert not line._lanes and line.cost == 0.0


def test_no_user_waits_longer_than_his_fair_share_allows() -> None:
    """Each of n users with work gets 1/n of the cost served, give or take one job of each."""
    line = Line()
    chance = random.Random(3)
    costs = {"ada": 0.3, "bob": 1.0, "cem": 2.5}
    for user, cost in costs.items():
        for _ in range(200):
            put(line, user, user, lane=user, cost=cost * chance.uniform(0.9, 1.1))
    served = dict.fromkeys(costs, 0.0)
    for _ in range(150):
        for waiting in take(line):
            served[waiting.name] += waiting.cost
    assert max(served.values()) - min(served.values()) <= 2 * max(costs.values())


def test_the_bound_on_waiting_holds_under_newcomers() -> None:
    """K = 3 s of his own, u = 2 users in his chat, c = 3 chats, L = 1 s (see the module)."""
    line = Line()
    fresh = itertools.count()
    for number in range(3):
        put(line, f"his{number}", "he", chat="his")
    for _ in range(200):
        put(line, "mate", "mate", chat="his")
        put(line, "greedy", "greedy", chat="greedy")
    waited = 0.0
    while True:
        # The third chat is never without somebody new.
        put(line, "new", f"new{next(fresh)}", chat="crowd")
        (served,) = take(line)
        if served.name == "his2":
            break
        waited += served.cost
    assert waited <= 3 * (2 * (3 + 1) + 1)


def test_a_seat_in_others_batches_is_no_turn_of_ones_own() -> None:
    """Two chats lead the wide lane by turns; a third rides along, and still has its own turns."""
    line = Line()
    for number in range(20):
        put(line, f"bio{number}", "bob", "wide", chat="bio")
        put(line, f"art{number}", "ada", "wide", chat="art")
        put(line, "patient", "pia", "narrow", chat="art")
    order = []
    for _ in range(16):
        order += [each.name for each in take(line, 2, narrow=1)]
    assert 4 <= order.count("patient") <= 8


def test_scarce_seats_go_to_who_has_had_least() -> None:
    """`art` always has eight jobs in both lanes, the others in the wide one."""
    line = Line()
    served = {"art": 0.0, "bio": 0.0, "chem": 0.0}

    def fill() -> None:
        for chat in served:
            for lane in ("wide", "narrow") if chat == "art" else ("wide",):
                there = sum(each.chat == chat for each in line.all() if each.lane == lane)
                for _ in range(8 - there):
                    put(line, chat, f"{chat} {lane}", lane, chat=chat)

    for _ in range(300):
        fill()
        for each in take(line, 4, narrow=1):
            served[each.chat] += each.cost
    assert max(served.values()) - min(served.values()) <= 2 * 4


def test_seats_that_nobody_else_wants_are_free() -> None:
    """With one job at a time the others cannot fill their batches: whoever can, rides along."""
    line = Line()
    for number in range(100):
        put(line, f"ride{number}", "ada", "wide", chat="art")
    put(line, "patient", "pia", "narrow", chat="art")
    sizes = []
    for number in range(12):
        put(line, f"bio{number}", "bob", "wide", chat="bio")
        sizes.append(len(take(line, 8, narrow=1)))
    assert sizes.count(8) == len(sizes) - 1
    assert not any(each.name == "patient" for each in line.all())


def turns_until(line: Line, name: str, seats: int = 1) -> tuple[int, float]:
    """How many batches, and device seconds, are served before a job of that name."""
    seconds = 0.0
    for number in itertools.count():
        assert number < 10_000, "its turn never comes"
        batch = take(line, seats)
        if any(each.name == name for each in batch):
            return number, seconds
        seconds += sum(each.cost for each in batch)
    raise AssertionError


def test_a_newcomer_to_a_chat_does_not_stand_behind_what_others_have_ridden() -> None:
    line = Line()

    def fill() -> None:
        for name, user, lane, chat, depth in (
            ("bio", "bob", "wide", "bio", 1),
            ("ride", "rider", "wide", "art", 20),
            ("nell", "nell", "narrow", "art", 3),
        ):
            there = sum(each.name == name for each in line.all())
            for _ in range(depth - there):
                put(line, name, user, lane, chat=chat)

    for _ in range(1000):
        fill()
        take(line, 8, narrow=1)
    fill()
    put(line, "mia", "mia", "narrow", chat="art")
    turns, _ = turns_until(line, "mia")
    assert turns <= 2 * (3 * 2 + 1)


def test_a_newcomer_takes_nobodys_share_of_the_seats() -> None:
    """Chats in a narrow lane have had less; nobody need pay for that in the wide one."""
    line = Line()
    narrow = [f"narrow {n}" for n in range(8)]

    def play(wide: tuple[str, ...], batches: int) -> dict[str, int]:
        served = dict.fromkeys((*wide, *narrow), 0)
        for _ in range(batches):
            waiting = [each.chat for each in line.all()]
            for chat in served:
                depth = 1 if chat in narrow else 16
                for _ in range(depth - waiting.count(chat)):
                    put(line, chat, chat, "narrow" if chat in narrow else "wide", chat=chat)
            for each in take(line, 8, narrow=1):
                served[each.chat] += 1
        return served

    play(("art", "bio"), 1000)
    served = play(("art", "bio", "zoo"), 200)
    assert abs(served["zoo"] - served["art"]) <= 8
    assert abs(served["zoo"] - served["bio"]) <= 8


def test_long_work_under_way_is_not_held_against_a_newcomer() -> None:
    line = Line()
    put(line, "long", "hal", "long", cost=600.0, chat="hal")
    (long,) = line.take("long", 1)
    for _ in range(50):
        put(line, "xen", "xen", cost=0.1, chat="xen")
    take(line)
    put(line, "yan", "yan", cost=0.1, chat="yan")
    assert turns_until(line, "yan")[1] <= 0.2 + 1e-6
    line.settle(long, 600.0)


def test_what_was_expected_and_did_not_come_is_not_held_against_a_newcomer() -> None:
    line = Line()
    put(line, "given up", "hal", "long", cost=100.0, chat="hal")
    (long,) = line.take("long", 1)
    for number in range(10):
        for _ in range(100):
            put(line, "other", f"user{number}", cost=0.1, chat=f"chat{number}")
    for _ in range(20):
        take(line)
    line.settle(long, 5.0)
    put(line, "new", "new", cost=0.1, chat="new")
    assert turns_until(line, "new")[1] <= 11 * 2 * 0.1 + 5.0


def test_the_first_guess_is_not_held_against_a_newcomer() -> None:
    """A batch is expected to take 16 s and takes 50 ms; thirty chats have come meanwhile."""
    line = Line()
    for _ in range(16):
        put(line, "first", "ada", chat="chat0")
    batch = line.take("a", 16)
    for number in range(30):
        for _ in range(50):
            put(line, "other", f"user{number}", cost=0.003, chat=f"chat{number}")
    for each in batch:
        line.settle(each, 0.003)
    put(line, "new", "new", cost=0.003, chat="new")
    assert turns_until(line, "new", seats=16)[1] <= 31 * 16 * 0.003


def test_waiting_for_a_place_saves_up_little() -> None:
    """Ann has long work and gets her place seldom; that does not shut Bea out for an hour."""
    line = Line()
    for _ in range(60):
        for _ in range(2):
            put(line, "ann", "ann", "long", cost=12.0, chat="ann")
        line.settle(line.take("long", 1)[0], 12.0)
        for _ in range(48):
            put(line, "bea", "bea", "short", chat="bea")
            line.settle(line.take("short", 1)[0], 1.0)
    for each in line.all():
        line.remove(each)
    for _ in range(100):
        put(line, "ann", "ann", "short", chat="ann")
    put(line, "bea", "bea", "short", chat="bea")
    assert turns_until(line, "bea")[1] <= CREDIT + 2


def test_a_cancelled_job_costs_its_user_nothing() -> None:
    line = Line()
    put(line, "other", "bob")
    for waiting in reversed([put(line, f"ada{n}", "ada") for n in range(20)]):
        line.remove(waiting)
    put(line, "again", "ada")
    assert drain(line) == ["other", "again"]


def test_users_who_left_are_forgotten() -> None:
    line = Line()
    put(line, "stays", "bob", cost=1e9)
    for number in range(5000):
        put(line, "passes", f"user{number}", lane="b", chat=f"chat{number % 900}")
        line.take("b", 1)
    chats = line._everybody.members
    assert sum(len(chat.members) for chat in chats.values()) == line._known < 600
    assert len(chats) < 1500


def test_a_flood_of_cancelled_newcomers_leaves_nothing() -> None:
    line = Line()
    put(line, "stays", "bob")
    for number in range(5000):
        line.remove(put(line, "passes", f"user{number}", chat=f"chat{number}"))
    lane = line._lanes["a"]
    lines = [lane, *lane.members.values()]
    assert all(len(each.turns) < 100 and len(each.seats) < 100 for each in lines)
    chats = line._everybody.members
    assert sum(len(chat.members) for chat in chats.values()) == line._known < 600


def test_a_second_asker_may_bring_a_job_forward() -> None:
    line = Line()
    entries = [put(line, f"heavy{n}", "heavy") for n in range(10)]
    line.hasten(entries[9], "room", "light")
    assert entries[9].in_line and entries[9].user == "light"
    line.hasten(entries[9], "room", "other")
    assert entries[9].user == "light"
    assert drain(line).index("heavy9") == 1


def test_who_owes_brings_nothing_forward() -> None:
    line = Line()
    put(line, "dear", "light", cost=100.0)
    entries = [put(line, f"heavy{n}", "heavy") for n in range(3)]
    assert take(line)[0].name == "dear"
    line.hasten(entries[1], "room", "light")
    assert entries[1].user == "heavy"


def test_a_rehearsal_knows_who_is_first_of_equals() -> None:
    line = Line()
    for round in range(2):
        for chat in "abcdefghijkl":
            for user in "xyz":
                put(line, f"{chat}{user}{round}", user, chat=chat)
    for _ in range(7):
        take(line, 4)
    rehearsal = line.rehearsal()
    for each in line.all():
        rehearsal.push(Rehearsed(each))
    told = []
    while lanes := rehearsal.lanes():
        told += [each.of.name for each in rehearsal.take(lanes[0][0], 4)]
    assert drain(line, 4) == told


def test_a_rehearsal_tells_the_order_of_service_and_changes_nothing() -> None:
    chance = random.Random(5)
    line = Line()
    for number in range(60):
        put(
            line,
            str(number),
            chance.choice("xyz"),
            chance.choice("ab"),
            chance.uniform(0.5, 2.0),
            chat=chance.choice("pq"),
        )
    for _ in range(10):
        take(line, 3)
    line.push(Named("again", "x"), first=True)
    rehearsal = line.rehearsal()
    for each in line.all():
        rehearsal.push(Rehearsed(each), first=each.repeated)
    told: list[str] = []
    while lanes := rehearsal.lanes():
        told += [each.of.name for each in rehearsal.take(lanes[0][0], 3)]
    assert len(line) == len(told) == 31
    assert drain(line, 3) == told


def test_jains_index_tells_a_fair_line_from_an_unfair_one() -> None:
    line = Line()
    for _ in range(50):
        put(line, "a", "ada", "a", chat="one")
        put(line, "b", "bob", "b", chat="two")
    for _ in range(20):
        take(line)
    assert line.fairness > 0.98
    for _ in range(20):  # there is no place for the other lane
        (each,) = line.take("a", 1)
        line.settle(each, each.cost)
    assert line.fairness < 0.98
