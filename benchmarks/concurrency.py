"""Sixteen workers feed 10,000 breaches of 500 keys in random order while people move orders; then the rules are proved.

    python -m benchmarks.concurrency [--breaches 10000] [--keys 500] [--workers 16] [--people 8] [--seed 1] [--reruns 1]
        [--superuser-url postgresql://...] [--json]

A worker does what `anomaly` and `service_link` do: it records a batch of transitions, then decides them, and now and
then those of others too. People triage, assign, decline, start, hold, resume, finish, send back, verify, close, cancel,
reopen, merge, note and report at random by the seed, through the functions of the API with its retries. At the end
every key breaches once more without anybody interfering.

What must hold is in `benchmarks/concurrency_checks.py`: one open order per key, no count lost, every decision, event
and audit entry there once, clocks as their events say, the chain unbroken. Threads interleave as they will, so which
order took a breach in, and how often one was reopened, differs between runs. What the feed alone decides must not: of
each key its breaches, how they ended, that each was decided and counted, and that an open order takes care of it. That
state (`state_sha256`) must be the same in every rerun, and in a run of one worker without people (`serial_sha256`).

The exit code is 1 where a rule is broken or a state differs.
"""

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from threading import Event

from benchmarks.concurrency_checks import State, find_broken_rules, load_state
from benchmarks.concurrency_people import Person
from benchmarks.concurrency_world import World, find_breaches, find_feeds, find_last_round, make_world
from benchmarks.databases import bench_database
from domain.breach import BreachTransition
from service_link.queue import TriageQueue
from store.breaches import record_transitions
from store.decisions import load_undecided
from store.pool import RETRYABLE, Connection, open_connection, open_pool
from store.ticket_policies import load_ticket_policies

GRACE = timedelta(seconds=20)
OTHERS = 0.1  # how often a worker takes what others recorded
MOST = 400
FIND_FIRST = "SELECT min(id) FROM breach_transition WHERE breach_id = ANY (%s)"
COUNT_DEADLOCKS = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
COUNT_ORDERS = """
    SELECT count(*)::integer, coalesce(sum(reopen_count), 0)::integer,
        count(*) FILTER (WHERE merged_into_id IS NOT NULL)::integer FROM work_order
"""


@dataclass(slots=True)
class Run:
    """One run: what was found broken, and the state that it left."""

    broken: list[str]
    state: State
    seconds: float
    orders: int
    reopened: int
    merged: int
    deadlocks: int
    acts: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)


def run_once(url: str, *, seed: int, breaches: int, keys: int, workers: int, people: int) -> Run:
    """Feeds a migrated, empty database from so many threads, and proves the rules."""
    now = datetime.now(UTC).replace(microsecond=0)
    with open_connection(url, application="benchmark", autocommit=True) as conn:
        world = make_world(conn, now, keys)
        fed = find_breaches(world, seed, breaches, now)
        began = time.perf_counter()
        staff = [Person(n, seed, world, now) for n in range(people)]
        _feed(url, find_feeds(fed, workers, seed), staff, world, seed, now)
        _feed(url, find_feeds(find_last_round(world, breaches, now), workers, seed), [], world, seed, now)
        # What a worker gave up is decided by the next round of the program, as always.
        queue = TriageQueue(MOST, GRACE)
        queue.drain(conn, lambda: now, lambda: True)
        seconds = time.perf_counter() - began
        acts: Counter[str] = sum((person.done for person in staff), Counter())
        refused: Counter[str] = sum((person.refused for person in staff), Counter())
        state = load_state(conn)
        broken = find_broken_rules(conn, staff, now)
        if state.keys != keys or state.not_taken_care_of:
            broken.append(f"every key is taken care of: {state.not_taken_care_of} of {state.keys} are not")
        counted, stopped = conn.execute(COUNT_ORDERS).fetchone(), conn.execute(COUNT_DEADLOCKS).fetchone()
        assert counted is not None
        assert stopped is not None
    orders, reopened, merged = counted
    return Run(broken, state, seconds, orders, reopened, merged, stopped[0], acts, refused)


def _feed(
    url: str,
    feeds: Sequence[Sequence[Sequence[BreachTransition]]],
    staff: Sequence[Person],
    world: World,
    seed: int,
    now: datetime,
) -> None:
    """Until every worker has fed and decided all of its own; people stop then."""
    is_over = Event()
    with (
        ThreadPoolExecutor(len(feeds) + max(1, len(staff))) as threads,
        open_pool(url, application="benchmark people", size=max(1, len(staff))) as pool,
    ):
        moving = [threads.submit(person.work, pool, is_over) for person in staff]
        feeding = [threads.submit(_work, url, n, feed, seed, now) for n, feed in enumerate(feeds)]
        try:
            for worker in feeding:
                worker.result()
        finally:
            is_over.set()
        for person in moving:
            person.result()


def _work(url: str, number: int, feed: Sequence[Sequence[BreachTransition]], seed: int, now: datetime) -> None:
    """Records and decides one batch after the other, on a connection of its own."""
    chance = Random(seed * 1_000 + 500 + number)
    queue = TriageQueue(MOST, GRACE)
    with open_connection(url, application=f"benchmark worker {number}", autocommit=True) as conn:
        policies = load_ticket_policies(conn)
        for batch in feed:
            _record(conn, batch)
            own = {t.breach_id for t in batch}
            first = conn.execute(FIND_FIRST, (list(own),)).fetchone()
            assert first is not None
            found = load_undecided(conn, after=first[0] - 1, now=now, limit=MOST)
            taken = [t for t in found if t.breach_id in own]
            if chance.random() < OTHERS:
                taken = found[: len(taken) + len(batch)]
            queue.triage(conn, taken, policies, now)


def _record(conn: Connection, batch: Sequence[BreachTransition]) -> None:
    """Tried again as `anomaly` does, where the database had to break a deadlock."""
    while True:
        try:
            with conn.transaction():
                record_transitions(conn, batch)
        except RETRYABLE:
            continue
        return


def main() -> int:
    """Prints the figures; as one JSON object on the last line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--breaches", type=int, default=10_000)
    parser.add_argument("--keys", type=int, default=500)
    parser.add_argument("--workers", type=int, default=16)
    parser.add_argument("--people", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--reruns", type=int, default=1, help="with the same seed, beside the serial one")
    parser.add_argument("--superuser-url", help="a server to make databases on; default: embedded PostgreSQL")
    parser.add_argument("--json", action="store_true", help="nothing but the last line")
    arguments = parser.parse_args()
    crowds = [(arguments.workers, arguments.people)] * (1 + arguments.reruns) + [(1, 0)]
    runs = []
    for workers, people in crowds:
        with bench_database(arguments.superuser_url) as urls:
            sizes = {"breaches": arguments.breaches, "keys": arguments.keys, "workers": workers, "people": people}
            run = run_once(urls.app, seed=arguments.seed, **sizes)
        runs.append(run)
        if not arguments.json:
            print(
                f"{workers} workers, {people} people: {run.seconds:.1f} s, {run.orders} orders, "
                f"{run.reopened} reopened, {run.merged} merged, {run.acts.total()} acts, "
                f"{run.refused.total()} refused, {run.deadlocks} deadlocks, state {run.state.sha256[:12]}"
            )
            for rule in run.broken:
                print(f"  BROKEN {rule}")
    is_same = len({run.state.sha256 for run in runs}) == 1
    *crowded, serial = runs
    figures = {
        "seed": arguments.seed,
        "runs": [
            {"seconds": round(run.seconds, 1), "orders": run.orders, "reopened": run.reopened, "merged": run.merged,
             "deadlocks": run.deadlocks, "acts": dict(sorted(run.acts.items())),
             "refused": dict(sorted(run.refused.items()))}
            for run in crowded
        ],
        "state_sha256": crowded[0].state.sha256,
        "serial_sha256": serial.state.sha256,
        "is_same": is_same,
        "broken": [rule for run in runs for rule in run.broken],
    }  # fmt: skip
    print(json.dumps(figures))
    return 0 if is_same and not figures["broken"] else 1


if __name__ == "__main__":
    sys.exit(main())
