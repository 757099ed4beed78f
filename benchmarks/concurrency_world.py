"""What the workers of `benchmarks.concurrency` feed: breaches of many keys, all of them a function of the seed."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from importlib import resources
from random import Random
from uuid import UUID

from domain.breach import BreachKind, BreachTransition, Severity, TransitionKind, breach_id_of
from domain.profile import Profile
from domain.profile_file import parse_profile
from domain.working_set import Key
from store.pool import Connection
from store.profiles import record_profile

GROUPS = ("occlusion", "motor_drive", "battery", "flow_sensor", "overheating")
DEVICES_OF_SITE = 4  # fewer than make a storm: the state after it would depend on who came first
TECHNICIANS, MANAGERS = 6, 4

RECORD_CUSTOMERS = """
    INSERT INTO customer (code, name, type)
    SELECT 'C-' || n, 'Hospital ' || n, 'HOSPITAL' FROM generate_series(1, %s) AS n
"""
RECORD_CONTRACTS = """
    INSERT INTO service_contract (code, customer_id, starts_on, ends_on)
    SELECT 'K-' || id, id, %s, %s FROM customer WHERE id %% 2 = 0
"""
RECORD_SITES = (
    "INSERT INTO site (customer_id, code, name) SELECT id, 'S-' || id, 'Ward ' || id FROM customer ORDER BY id"
)
RECORD_DEVICES = """
    INSERT INTO device (device_model_id, serial, site_id, shard, created_at)
    SELECT m.id, 'P-' || n, s.id, 0, %(known_since)s
    FROM generate_series(1, %(devices)s) AS n JOIN device_model m ON true
    JOIN site s ON s.code = 'S-' || 1 + (n - 1) / %(of_site)s
    RETURNING id, serial
"""
RECORD_PEOPLE = """
    INSERT INTO app_user (name, full_name, password_hash, roles)
    SELECT %(role)s || '-' || n, initcap(%(role)s) || ' ' || n, '!', ARRAY[%(role)s]
    FROM generate_series(1, %(people)s) AS n
    RETURNING id, name
"""
RECORD_CERTIFICATES = """
    INSERT INTO technician_certificate (user_id, device_model_id, valid_until)
    SELECT u.id, m.id, %s FROM app_user u, device_model m WHERE 'technician' = ANY (u.roles)
"""


@dataclass(frozen=True, slots=True)
class World:
    """Devices by serial, people by name, and what is fed: each breach as its transitions, in order."""

    devices: dict[int, str]
    technicians: dict[int, str]
    managers: dict[int, str]
    keys: tuple[Key, ...]


def make_world(conn: Connection, now: datetime, keys: int) -> World:
    """So many keys: pumps with five fault groups each, their customers and the people who serve them."""
    text = resources.files("profiles").joinpath("infusion_pump.yaml").read_text("utf-8")
    profile = parse_profile(text, "infusion_pump.yaml")
    assert isinstance(profile, Profile)
    devices = -(-keys // len(GROUPS))
    with conn.transaction():
        record_profile(conn, profile, "benchmark")
        conn.execute(RECORD_CUSTOMERS, (-(-devices // DEVICES_OF_SITE),))
        today = now.date()
        conn.execute(RECORD_CONTRACTS, (today - timedelta(days=100), today + timedelta(days=300)))
        conn.execute(RECORD_SITES)
        values = {"devices": devices, "of_site": DEVICES_OF_SITE, "known_since": now - timedelta(days=90)}
        found: dict[int, str] = dict(conn.execute(RECORD_DEVICES, values).fetchall())
        people: list[dict[int, str]] = [
            dict(conn.execute(RECORD_PEOPLE, {"role": role, "people": number}).fetchall())
            for role, number in (("technician", TECHNICIANS), ("service_manager", MANAGERS))
        ]
        conn.execute(RECORD_CERTIFICATES, (date(2100, 1, 1),))
    every = [(device, group) for device in sorted(found) for group in GROUPS]
    return World(found, people[0], people[1], tuple(every[:keys]))


def find_breaches(world: World, seed: int, number: int, now: datetime) -> list[list[BreachTransition]]:
    """So many breaches of keys drawn at random: raised, a quarter raised further, two thirds cleared."""
    chance = Random(seed)
    return [_find_breach(world, chance, chance.choice(world.keys), n, now) for n in range(number)]


def find_last_round(world: World, number: int, now: datetime) -> list[list[BreachTransition]]:
    """One more breach of every key, the number `number` and those after it, which go on."""
    return [
        [_raise(world, key, number + n, Severity.MAJOR, now)] for n, key in enumerate(world.keys)
    ]  # fmt: skip


def _find_breach(world: World, chance: Random, key: Key, n: int, now: datetime) -> list[BreachTransition]:
    severity = chance.choices((Severity.MAJOR, Severity.CRITICAL), (0.8, 0.2))[0]
    raised = _raise(world, key, n, severity, now)
    steps = [raised]
    if severity is Severity.MAJOR and chance.random() < 0.25:
        steps.append(_follow(raised, TransitionKind.ESCALATED, severity=Severity.CRITICAL))
    if chance.random() < 0.67:
        steps.append(_follow(steps[-1], TransitionKind.CLEARED, severity=steps[-1].severity))
    return steps


def _raise(world: World, key: Key, n: int, severity: Severity, now: datetime) -> BreachTransition:
    """Each at an instant of its own; the id has the number instead, so that it is the same on every day."""
    device_id, group = key
    at = now + timedelta(milliseconds=n)
    return BreachTransition(
        breach_id=find_breach_id(device_id, group, n),
        kind=TransitionKind.RAISED,
        device_id=device_id,
        series_id=None,
        monitor=f"{group}_high",
        profile_version=1,
        breach_kind=BreachKind.LIMIT,
        severity=severity,
        fault_group=group,
        first_seen=at,
        at=at,
        received_at=at,
        count=1,
        peak=1.0,
        score=1.0,
        reason_code="limit_high",
        params={"serial": world.devices[device_id]},
    )


def find_breach_id(device_id: int, group: str, n: int) -> UUID:
    """The id of breach `n`: the same in every run."""
    return breach_id_of(device_id, group, None, n)


def _follow(before: BreachTransition, kind: TransitionKind, *, severity: Severity) -> BreachTransition:
    at = before.at + timedelta(microseconds=100)
    return replace(before, kind=kind, severity=severity, at=at, received_at=at)


def find_feeds(
    breaches: Sequence[Sequence[BreachTransition]], workers: int, seed: int
) -> list[list[list[BreachTransition]]]:
    """For each worker its batches of 1 to 12 transitions: breaches in random order, each with one worker, its own
    transitions in their order and those of others between them."""
    chance = Random(seed + 1)
    queues: list[list[BreachTransition]] = [[] for _ in range(workers)]
    for n, breach in enumerate(chance.sample(breaches, len(breaches))):
        queue = queues[n % workers]
        places = sorted(chance.randint(max(0, len(queue) - 20), len(queue)) for _ in breach)
        for shift, (place, step) in enumerate(zip(places, breach, strict=True)):
            queue.insert(place + shift, step)
    feeds = []
    for queue in queues:
        batches = []
        while queue:
            size = chance.randint(1, 12)
            batches.append(queue[:size])
            queue = queue[size:]
        feeds.append(batches)
    return feeds
