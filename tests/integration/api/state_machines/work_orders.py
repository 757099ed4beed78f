"""What the service's rules allow with a work order, its visits and its parts."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from tests.integration.api.state_machines.driver import (
    Command,
    Driver,
    Row,
    Verdict,
    pick_if_match,
    pick_signature,
    pick_text,
)
from tests.integration.api.state_machines.people import SIGNED, Person

DISPATCH = ("dispatcher", "service_manager")
MANAGE = ("service_manager",)
WORK = ("technician",)
# (from, to): who. Technicians work on their own orders alone; a manager dispatches as well.
STEPS: dict[tuple[str, str], tuple[str, ...]] = {
    ("NEW", "TRIAGED"): DISPATCH,
    ("TRIAGED", "ASSIGNED"): DISPATCH,
    ("ASSIGNED", "TRIAGED"): (*DISPATCH, *WORK),
    ("ASSIGNED", "IN_PROGRESS"): WORK,
    ("IN_PROGRESS", "ON_HOLD"): WORK,
    ("ON_HOLD", "IN_PROGRESS"): WORK,
    ("IN_PROGRESS", "WORK_DONE"): WORK,
    ("WORK_DONE", "VERIFIED"): MANAGE,
    ("WORK_DONE", "IN_PROGRESS"): MANAGE,
    ("VERIFIED", "IN_PROGRESS"): MANAGE,
    ("VERIFIED", "CLOSED"): MANAGE,
    ("CLOSED", "TRIAGED"): MANAGE,
    ("NEW", "CANCELLED"): MANAGE,
    ("TRIAGED", "CANCELLED"): MANAGE,
    ("ASSIGNED", "CANCELLED"): MANAGE,
}
STATES = ("NEW", "TRIAGED", "ASSIGNED", "IN_PROGRESS", "ON_HOLD", "WORK_DONE", "VERIFIED", "CLOSED", "CANCELLED")
WEIGHTS = (1, 2, 4, 4, 2, 4, 4, 4, 0.2)  # few are cancelled, so that most come far
EVENTS = {"ASSIGNED": "assigned", "ON_HOLD": "held", "WORK_DONE": "done", "CLOSED": "closed"}
AT_WORK = ("ASSIGNED", "IN_PROGRESS", "ON_HOLD")
CERTIFIED = ("tina", "tim")
TECHNICIANS = ("tina", "otto", "tim")
CLOSE_OUT = {
    "device_name": "Test device",
    "device_identification": "T-0000",
    "serviced_on": "2026-01-15",
    "serviced_by": "Tina",
    "work_performed": "Replaced the drive",
    "test_data": "0.9 A at 10 mL/h",
}


class WorkOrderMachine:
    """One order: what is known of it, and what may follow."""

    def __init__(self, driver: Driver, rng: Random, *, is_critical: bool, serial: str) -> None:
        self.people = driver.people
        self.is_critical = is_critical
        self.owner = "T-C0"  # every device that orders are for stands there
        kind = rng.choice(("INSTALL", "TRAINING", "PREVENTIVE", "CALIBRATION"))
        body = {"serial": serial, "fault_group": "tank", "description": "Look at it", "type": kind}
        made = driver.api.post("/work-orders", headers=self.people["dirk"].headers, json=body)
        assert made.status_code == 201, made.text
        self.code: str = made.json()["code"]
        self.state = "NEW"
        self.assignee: str | None = None
        self.done_by: str | None = None
        self.visits: dict[int, dict[str, Any]] = {}
        self.parts: dict[int, str] = {}

    def propose(self, rng: Random) -> Command:
        who = rng.choice(list(self.people.values()))
        roll = rng.random()
        if roll < 0.12:
            return self._propose_visit(who, rng)
        if roll < 0.24:
            return self._propose_part(who, rng)
        to = rng.choices(STATES, WEIGHTS)[0]
        body: dict[str, Any] = {"to": to}
        match to:
            case "TRIAGED" | "CANCELLED" | "IN_PROGRESS":
                body["reason"] = pick_text(rng, "as agreed")
            case "ASSIGNED":
                body["assignee"] = rng.choice((*TECHNICIANS, *CERTIFIED, "mona", "nobody", None))
            case "ON_HOLD":
                body["hold_reason"] = rng.choice(("PARTS", "CUSTOMER", "ACCESS", "VENDOR", None))
            case "WORK_DONE":
                body["outcome"] = rng.choice(("CONFIRMED", "NO_FAULT_FOUND", "SENSOR_FAULT", None))
                body["close_out"] = rng.choice((CLOSE_OUT, CLOSE_OUT, CLOSE_OUT | {"test_data": " "}, None))
            case "VERIFIED":
                body["test_evidence"] = pick_text(rng, "Ran for an hour")
            case "CLOSED":
                body |= pick_signature(rng, SIGNED)
        return Command(who, "step", "POST", f"/work-orders/{self.code}/transitions", body, pick_if_match(rng))

    def _propose_visit(self, who: Person, rng: Random) -> Command:
        minutes = rng.choice((0, 0, 0, -60, 60))
        at = None if minutes == 0 else (datetime.now(UTC) + timedelta(minutes=minutes)).isoformat()
        if self.visits and rng.random() < 0.5:
            number = rng.choice([*self.visits, 10**9])
            body = {"outcome": "COMPLETED", "left_at": at}
            path = f"/work-orders/{self.code}/visits/{number}/departure"
            return Command(who, "leave", "POST", path, body, None, (number, minutes))
        body = {"arrived_at": at}
        return Command(who, "arrive", "POST", f"/work-orders/{self.code}/visits", body, None, (None, minutes))

    def _propose_part(self, who: Person, rng: Random) -> Command:
        identified = {"lot": "L-7"} if rng.random() < 0.6 else {}
        path = f"/work-orders/{self.code}/parts"
        if self.parts and rng.random() < 0.6:
            number = rng.choice(list(self.parts))
            body: dict[str, Any] = {"to": "WITHDRAWN", "reason": pick_text(rng, "not needed")}
            if rng.random() < 0.5:
                body = {"to": "USED", **identified, **pick_signature(rng, SIGNED)}
            return Command(who, "part", "POST", f"{path}/{number}/outcome", body, None, number)
        body = {"item": "MOT-1"}
        if rng.random() < 0.4:
            body |= {"state": "USED", **identified, **pick_signature(rng, SIGNED)}
        return Command(who, "part", "POST", path, body, None)

    def watch(self, command: Command) -> Row:
        return Row("work_order", "code = %s", (self.code,))

    def judge(self, command: Command) -> Verdict:
        verdict = Verdict()
        verdict.unless(not command.who.has("admin"), "403")
        verdict.unless(command.who.customer in (None, self.owner), "404")
        match command.kind:
            case "step":
                self._judge_step(command, verdict)
            case "part":
                self._judge_part(command, verdict)
            case _:
                self._judge_visit(command, verdict)
        return verdict

    def _judge_step(self, command: Command, verdict: Verdict) -> None:
        who, to, body = command.who, command.body["to"], command.body
        roles = STEPS.get((self.state, to))
        if roles is None:
            verdict.refusals.add("no_such_transition")
            return
        verdict.unless(who.has(*roles), "403")
        works = who.has("technician") and not who.has(*(set(roles) - set(WORK)))
        verdict.unless(not (works and roles != MANAGE) or who.name == self.assignee, "not_assignee")
        verdict.events = [f"workorder.{EVENTS[to]}"] if to in EVENTS else []
        reason = str(body.get("reason", "")).strip()
        match self.state, to:
            case ("ASSIGNED" | "CLOSED", "TRIAGED") | (_, "CANCELLED") | ("WORK_DONE" | "VERIFIED", "IN_PROGRESS"):
                verdict.unless(bool(reason), "reason_missing")
            case _, "ASSIGNED":
                verdict.unless(body["assignee"] is not None, "assignee_missing")
                verdict.unless(body["assignee"] in TECHNICIANS, "assignee_unknown")
                verdict.unless(body["assignee"] in CERTIFIED, "certificate_invalid")
            case _, "ON_HOLD":
                verdict.unless(body["hold_reason"] is not None, "hold_reason_missing")
            case _, "WORK_DONE":
                verdict.unless(body["close_out"] == CLOSE_OUT, "close_out_incomplete")
                verdict.unless(body["outcome"] is not None, "outcome_missing")
                verdict.unless("REQUESTED" not in self.parts.values(), "part_undecided")
            case _, "VERIFIED":
                verdict.unless(who.id is not None and who.name != self.done_by, "own_work")
                verdict.unless(not (self.is_critical and who.name == self.assignee), "second_person")
                verdict.unless(bool(body["test_evidence"].strip()), "not_quiet")
                verdict.unless(all(v["left"] for v in self.visits.values()), "visit_under_way")
            case _, "CLOSED":
                verdict.signatures = 1
                judge_signature(command, verdict, of_meaning="signature_missing")
                verdict.unless(not (self.is_critical and who.name == self.done_by), "second_person")
        if self.state == "CLOSED":
            verdict.events = ["workorder.reopened"]

    def _judge_visit(self, command: Command, verdict: Verdict) -> None:
        verdict.bumps = 0
        number, minutes = command.about
        who = command.who
        verdict.unless(who.has("technician"), "403")
        verdict.unless(who.id is not None, "person_needed")
        verdict.unless(minutes <= 0, "time_in_future")
        if command.kind == "arrive":
            verdict.unless(self.state in AT_WORK, "order_not_at_work")
            verdict.unless(who.name == self.assignee, "not_assignee")
            verdict.unless(all(v["left"] or v["who"] != who.name for v in self.visits.values()), "visit_under_way")
            if minutes < 0:
                verdict.refusals.add("before_order")
            return
        visit = self.visits.get(number)
        if visit is None:
            verdict.refusals.add("404")
            return
        verdict.unless(visit["who"] == who.name, "not_visitor")
        verdict.unless(not visit["left"], "visit_over")
        verdict.unless(minutes >= 0, "left_before_arrival")

    def _judge_part(self, command: Command, verdict: Verdict) -> None:
        verdict.bumps = 0
        who, body = command.who, command.body
        known = None if command.about is None else self.parts[command.about]
        verdict.unless(known in (None, "REQUESTED"), "no_such_transition")
        if "USED" in (body.get("to"), body.get("state")):
            verdict.unless(who.has("technician"), "403")
            verdict.unless(who.id is not None, "person_needed")
            verdict.unless(self.state == "IN_PROGRESS", "order_not_at_work")
            verdict.unless(who.name == self.assignee, "not_assignee")
            verdict.unless(not self.is_critical or "lot" in body, "unidentified_part")
            verdict.signatures = 1
            judge_signature(command, verdict, of_meaning="signature_missing")
            return
        verdict.unless(who.has("technician", *DISPATCH), "403")
        verdict.unless(who.has(*DISPATCH) or who.name == self.assignee, "not_assignee")
        if known is None:
            verdict.unless(self.state in AT_WORK, "order_not_at_work")
            verdict.events = ["part.requested"]
        else:
            verdict.unless(bool(body["reason"].strip()), "reason_missing")

    def apply(self, command: Command, answer: Mapping[str, Any]) -> None:
        who, to = command.who.name, command.body.get("to")
        match command.kind:
            case "arrive":
                self.visits[answer["id"]] = {"who": who, "left": False}
            case "leave":
                self.visits[command.about[0]]["left"] = True
            case "part":
                self.parts[answer["id"]] = answer["state"]
            case _:
                if to == "ASSIGNED":
                    self.assignee = command.body["assignee"]
                if to == "TRIAGED":
                    self.assignee = None
                if to == "TRIAGED" and self.state == "CLOSED":
                    self.done_by = None
                if to == "WORK_DONE":
                    self.done_by = who
                self.state = str(to)


def judge_signature(command: Command, verdict: Verdict, *, of_meaning: str = "meaning_missing") -> None:
    """A person signs with the own password, again, and says what it means."""
    verdict.unless("password" in command.body, "signature_missing")
    verdict.unless("meaning" in command.body, of_meaning)
