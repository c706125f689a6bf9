"""The order in which jobs leave the line."""

from __future__ import annotations

import random

from inference.scheduler import Scheduler, Waiting


def put(
    line: Scheduler[str], name: str, user: str, lane: str = "a", cost: float = 1.0
) -> Waiting[str]:
    waiting = Waiting(name, user, lane, cost)
    line.push(waiting)
    return waiting


def drain(line: Scheduler[str], most: int = 1) -> list[str]:
    names = []
    while lanes := line.lanes():
        names += [waiting.item for waiting in line.take(lanes[0], most)]
    return names


def test_one_user_is_served_in_order() -> None:
    line: Scheduler[str] = Scheduler()
    for name in "abcde":
        put(line, name, "ada")
    assert drain(line) == list("abcde")


def test_a_newcomer_overtakes_a_heavy_user() -> None:
    line: Scheduler[str] = Scheduler()
    for number in range(100):
        put(line, f"heavy{number}", "heavy")
    for number in range(3):
        put(line, f"light{number}", "light")
    order = drain(line)
    assert [order.index(f"light{n}") for n in range(3)] == [1, 3, 5]


def test_shares_are_by_cost_not_by_count() -> None:
    line: Scheduler[str] = Scheduler()
    for number in range(8):
        put(line, f"dear{number}", "dear", cost=4.0)
    for number in range(32):
        put(line, f"cheap{number}", "cheap", cost=1.0)
    first = drain(line)[:20]
    # In equal device time the cheap user gets four jobs for each dear one.
    assert 15 <= sum(name.startswith("cheap") for name in first) <= 17


def test_a_batch_takes_one_lane_only_and_the_next_job_decides_which() -> None:
    line: Scheduler[str] = Scheduler()
    put(line, "a1", "ada", "a")
    put(line, "b1", "bob", "b")
    put(line, "a2", "cem", "a")
    assert line.lanes() == ["a", "b"]
    assert [w.item for w in line.take("a", 8)] == ["a1", "a2"]
    assert [w.item for w in line.take("b", 8)] == ["b1"]
    assert not len(line)


def test_a_repeated_job_goes_first_and_alone() -> None:
    line: Scheduler[str] = Scheduler()
    for name in "abc":
        put(line, name, "ada")
    line.push(Waiting("again", "bob", "a", 1.0, alone=True), first=True)
    assert [w.item for w in line.take("a", 8)] == ["again"]
    assert [w.item for w in line.take("a", 8)] == ["a", "b", "c"]


def test_removed_jobs_are_forgotten() -> None:
    line: Scheduler[str] = Scheduler()
    entries = [put(line, name, "ada") for name in "abc"]
    line.remove(entries[0])
    line.remove(entries[0])
    assert len(line) == 2
    assert line.of("ada") == 2
    assert drain(line) == ["b", "c"]
    assert line.of("ada") == 0


def test_nothing_is_lost_or_served_twice_in_a_random_schedule() -> None:
    chance = random.Random(7)
    for _ in range(50):
        line: Scheduler[str] = Scheduler()
        inside: dict[str, Waiting[str]] = {}
        served: list[str] = []
        for number in range(200):
            match chance.randrange(4):
                case 0 | 1:
                    user, lane = chance.choice("xyz"), chance.choice("ab")
                    inside[str(number)] = put(line, str(number), user, lane, chance.random())
                case 2 if inside:
                    line.remove(inside.pop(chance.choice(list(inside))))
                case 3 if lanes := line.lanes():
                    for waiting in line.take(lanes[0], chance.randrange(1, 5)):
                        served.append(waiting.item)
                        del inside[waiting.item]
            assert len(line) == len(inside)
        served += drain(line, 3)
        assert len(served) == len(set(served))


def test_no_user_waits_longer_than_his_fair_share_allows() -> None:
    """Each of n users with work gets 1/n of the cost served, give or take one job of each."""
    line: Scheduler[str] = Scheduler()
    chance = random.Random(3)
    costs = {"ada": 0.3, "bob": 1.0, "cem": 2.5}
    for user, cost in costs.items():
        for _ in range(200):
            put(line, user, user, lane=user, cost=cost * chance.uniform(0.9, 1.1))
    served = dict.fromkeys(costs, 0.0)
    for _ in range(150):
        for waiting in line.take(line.lanes()[0], 1):
            served[waiting.item] += waiting.cost
    assert max(served.values()) - min(served.values()) <= 2 * max(costs.values())


def test_a_cancelled_job_costs_its_user_nothing() -> None:
    line: Scheduler[str] = Scheduler()
    put(line, "other", "bob")
    for waiting in reversed([put(line, f"ada{n}", "ada") for n in range(20)]):
        line.remove(waiting)
    assert put(line, "again", "ada").start == 0.0


def test_users_who_left_are_forgotten() -> None:
    line: Scheduler[str] = Scheduler()
    put(line, "stays", "bob", cost=1e9)
    for number in range(5000):
        put(line, "passes", f"user{number}", lane="b")
        line.take("b", 1)
    assert len(line._finish) < 500


def test_a_second_asker_may_bring_a_job_forward() -> None:
    line: Scheduler[str] = Scheduler()
    entries = [put(line, f"heavy{n}", "heavy") for n in range(10)]
    sooner = line.hasten(entries[9], "light")
    assert entries[9].gone and not sooner.gone
    assert line.hasten(sooner, "other") is sooner
    assert drain(line).index("heavy9") == 1
