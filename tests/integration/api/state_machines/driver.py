"""Drives one record through the API by random commands of random people, beside a model of what the rules allow.

The model says of each command which rules it breaks. A command that breaks none is taken and does exactly what the
model says; any other is refused by one of the rules that it breaks, and changes nothing at all.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Protocol

import httpx
from psycopg.rows import dict_row

from store.pool import Connection
from tests.integration.api.state_machines.people import Person
from tests.support.http_api import Api

# How often somebody tries what may be done now, and what one guard alone forbids; the rest is tried blindly.
SENSIBLE = 0.55
FORBIDDEN = 0.3
PLAIN = ("no_such_transition", "permission_missing")  # guards that a blind command meets anyway
TRIES = 250
ENDED = 3  # so often in a row nothing allowed was found: the record is at its end
REPEATED = 0.2
TOLD = 12  # commands of which a failed test tells
REFUSALS = {400, 403, 404, 409, 412, 415, 422, 428}


@dataclass(frozen=True, slots=True)
class Row:
    """A row that a command may change: by table and key."""

    table: str
    condition: str
    values: tuple[Any, ...]
    is_record: bool = True  # the row whose state the machine has, and not a part of the record


@dataclass(slots=True)
class Command:
    """What somebody sends. `if_match`: current, stale, missing, garbage, or None where the address takes none."""

    who: Person
    kind: str
    method: str
    path: str
    body: dict[str, Any]
    if_match: str | None = "current"
    about: Any = None  # what the machine needs to know again

    def __str__(self) -> str:
        return f"{self.who.name}: {self.kind} {self.method} {self.path} {self.body} (If-Match {self.if_match})"


@dataclass(slots=True)
class Verdict:
    """What must come of a command: refused by one of `refusals`, or, where there are none, these changes."""

    refusals: set[str] = field(default_factory=set)
    audits: int = 1
    events: Sequence[str] = ()  # types, in any order
    signatures: int = 0
    bumps: int = 1  # of the row version
    also: str = ""  # a type of event of which there may be any number beside

    def unless(self, holds: bool, refusal: str) -> None:
        """Refused by that rule, unless it holds."""
        if not holds:
            self.refusals.add(refusal)


class Machine(Protocol):
    """The model of one record."""

    state: str

    def propose(self, rng: Random) -> Command: ...

    def judge(self, command: Command) -> Verdict: ...

    def watch(self, command: Command) -> Row: ...

    def apply(self, command: Command, answer: Mapping[str, Any]) -> None: ...


LOAD_MARKS = """
    SELECT (SELECT max(seq) FROM audit_event) AS audit, (SELECT max(id) FROM outbox) AS outbox,
        (SELECT max(id) FROM signature) AS signature
"""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a refused command must leave as it is."""

    row: Mapping[str, Any] | None
    marks: Mapping[str, Any]


@dataclass
class Driver:
    """Sends commands and compares."""

    api: Api
    conn: Connection
    people: Mapping[str, Person]
    told: list[str] = field(default_factory=list)
    taken: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    met: Counter[str] = field(default_factory=Counter)  # steps and guards, by name

    def drive(self, machine: Machine, rng: Random, steps: int) -> int:
        """How many commands were sent, at most `steps`: fewer where nothing more may be done. Whatever differs from the
        model fails with the last ones that were sent."""
        ended = 0
        for step in range(steps):
            command, is_free = self._choose(machine, rng)
            ended = 0 if is_free else ended + 1
            if ended > ENDED:
                return step
            self.told = [*self.told[-TOLD:], f"{machine.state} <- {command}"]
            try:
                self._send(machine, command, rng)
            except AssertionError as error:
                raise AssertionError(f"{error}\n" + "\n".join(self.told)) from error
        return steps

    def _choose(self, machine: Machine, rng: Random) -> tuple[Command, bool]:
        """The next command, and whether there may be one that is allowed."""
        roll = rng.random()
        command = machine.propose(rng)
        if roll > SENSIBLE + FORBIDDEN:
            return command, True
        found: dict[str, Command] = {}
        for _ in range(TRIES):
            broken = self._judge(machine, command).refusals
            if roll < SENSIBLE and not broken:
                found.setdefault(f"{machine.state} {command.kind} {command.body.get('to')}", command)
            elif roll >= SENSIBLE and len(broken) == 1 and is_guard(*broken):
                found.setdefault(f"{command.kind} {' '.join(broken)}", command)
            command = machine.propose(rng)
        if not found:
            return command, roll > SENSIBLE
        # What was met least so far: rare steps and guards would else never be.
        name = min(found, key=lambda name: (self.met[name], name))
        self.met[name] += 1
        return found[name], True

    def _judge(self, machine: Machine, command: Command) -> Verdict:
        verdict = machine.judge(command)
        verdict.unless(command.if_match != "missing", "428")
        verdict.unless(command.if_match != "garbage", "422:If-Match")
        verdict.unless(command.if_match != "stale", "412")
        verdict.unless(command.who.id is not None or "password" not in command.body, "422:password")
        return verdict

    def _send(self, machine: Machine, command: Command, rng: Random) -> None:
        verdict = self._judge(machine, command)
        before = self.observe(machine.watch(command))
        headers = dict(command.who.headers)
        version = 0 if before.row is None else before.row["row_version"]
        given = {"current": f'"{version}"', "stale": f'"{version + 7}"', "garbage": "seen"}.get(command.if_match or "")
        if given is not None:
            headers["If-Match"] = given
        again = command.method == "POST" and rng.random() < REPEATED
        if again:
            headers["Idempotency-Key"] = f"{rng.getrandbits(64):016x}"
        arguments: dict[str, Any] = {} if command.method == "DELETE" else {"json": command.body}
        answer = self.api.request(command.method, command.path, headers=headers, **arguments)
        after = self.observe(machine.watch(command))
        if verdict.refusals:
            self._verify_refused(answer, verdict, before, after)
            return
        assert answer.is_success, f"refused, and nothing forbids it: {answer.status_code} {answer.text}"
        self._verify_taken(command, verdict, before, after)
        machine.apply(command, answer.json() if answer.content else {})
        row = after.row
        if row is not None and machine.watch(command).is_record:
            assert row["state"] == machine.state, f"it became {row['state']}, by the rules {machine.state}"
        self.taken += 1
        if again:
            settled = self.observe(machine.watch(command))  # the machine may have let time pass
            second = self.api.request(command.method, command.path, headers=headers, **arguments)
            assert (second.status_code, second.json()) == (answer.status_code, answer.json()), second.text
            assert self.observe(machine.watch(command)) == settled, "sent again with its key it was done again"

    def observe(self, row: Row) -> Snapshot:
        """The row, and where audit, outbox and signatures end."""
        with self.conn.cursor(row_factory=dict_row) as cursor:
            query = f"SELECT * FROM {row.table} t WHERE {row.condition}"
            found = cursor.execute(query.encode(), row.values).fetchone()
            marks = cursor.execute(LOAD_MARKS).fetchone()
        assert marks is not None
        return Snapshot(found, marks)

    def _verify_refused(self, answer: httpx.Response, verdict: Verdict, before: Snapshot, after: Snapshot) -> None:
        assert answer.status_code in REFUSALS, f"taken, and {verdict.refusals} forbid it: {answer.status_code}"
        names = find_names(answer)
        assert names & verdict.refusals, f"refused by {names}, by the rules it is {verdict.refusals}: {answer.text}"
        assert before == after, f"what was refused changed something: {before} {after}"
        for name in names:
            self.refused[name] = self.refused.get(name, 0) + 1

    def _verify_taken(self, command: Command, verdict: Verdict, before: Snapshot, after: Snapshot) -> None:
        told = self.conn.execute(
            "SELECT actor, action FROM audit_event WHERE seq > %s ORDER BY seq", (before.marks["audit"] or 0,)
        ).fetchall()
        assert len(told) == verdict.audits, f"{verdict.audits} events of the audit expected, not {told}"
        expected = command.who.name if command.who.id is not None else "token:"
        assert all(actor.startswith(expected) for actor, _ in told), told
        events = self.conn.execute("SELECT type FROM outbox WHERE id > %s", (before.marks["outbox"] or 0,)).fetchall()
        types = sorted(row[0] for row in events if row[0] != verdict.also)
        assert types == sorted(verdict.events), f"{verdict.events} expected, not {types}"
        (signed,) = self.conn.execute(
            "SELECT count(*) FROM signature WHERE id > %s", (before.marks["signature"] or 0,)
        ).fetchone() or (0,)
        assert signed == verdict.signatures, f"{verdict.signatures} signatures expected, not {signed}"
        if before.row is not None and after.row is not None and "row_version" in after.row:
            moved = after.row["row_version"] - before.row["row_version"]
            assert moved == verdict.bumps, f"the row moved by {moved} versions, not {verdict.bumps}"


def is_guard(name: str) -> bool:
    """Whether it is the life-cycle that refuses, and not who asks or how."""
    return name not in PLAIN and not name[0].isdigit()


def find_names(answer: httpx.Response) -> set[str]:
    """By which rules the answer says that it refused: `403`, `404`, `412`, `428`, a guard, or `422:<field>`."""
    problem = answer.json()
    if answer.status_code == 409:
        assert problem.get("guard"), f"no guard is named: {answer.text}"
        return {problem["guard"]}
    if answer.status_code == 422:
        assert problem.get("errors"), f"no field is named: {answer.text}"
        return {f"422:{error['field']}" for error in problem["errors"]}
    if answer.status_code == 403:
        assert problem.get("permission") or "one customer" in problem["detail"], answer.text
    if answer.status_code == 412:
        assert problem["current"]["row_version"] is not None, answer.text
    return {str(answer.status_code)}


def pick_if_match(rng: Random) -> str:
    """Nearly always the version that was seen."""
    return rng.choices(("current", "stale", "missing", "garbage"), (94, 3, 2, 1))[0]


def pick_text(rng: Random, text: str, chance: float = 0.85) -> str:
    """Mostly the text, else nothing or blanks."""
    return text if rng.random() < chance else rng.choice(("", "  "))


def pick_signature(rng: Random, signed: Mapping[str, str], chance: float = 0.85) -> dict[str, str]:
    """Mostly password and meaning, else one of both is missing."""
    if rng.random() < chance:
        return dict(signed)
    return rng.choice(({}, {"password": signed["password"]}, {"meaning": signed["meaning"]}))
