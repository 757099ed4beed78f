"""What the rules allow with changes that take two people: a waiver, an occurrence left out, a file that names some."""

from collections.abc import Mapping
from datetime import UTC, datetime
from random import Random
from typing import Any

from service_link.plans import keep_plans
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
from tests.integration.api.state_machines.work_orders import judge_signature
from tests.support.fleet import MODEL

READ = ("dispatcher", "service_manager", "quality_engineer", "quality_approver", "data_steward", "auditor")
# Who asks for a kind, and who decides on it.
RULES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "sla_waiver": (("service_manager",), ("service_manager",)),
    "plan_skip": (("dispatcher", "service_manager"), ("dispatcher", "service_manager")),
    "identifiable_export": (
        ("service_manager", "quality_engineer", "quality_approver", "data_steward", "auditor"),
        ("service_manager", "quality_approver", "data_steward"),
    ),
}
# What is refused when the same is asked for after it was granted; a file is a question of its own each time.
ONCE = {"sla_waiver": "waived_already", "plan_skip": "occurrence_ended"}


class ApprovalMachine:
    """What is asked about one record, again and again; `state` is that of the newest request."""

    def __init__(self, driver: Driver, rng: Random) -> None:
        self.people, self.conn = driver.people, driver.conn
        self.kind = rng.choice(list(RULES))
        self.state = "NONE"
        self.code = ""
        self.asker = ""
        self.is_granted = False
        self.payload: dict[str, Any] = {}
        mona = self.people["mona"].headers
        match self.kind:
            case "sla_waiver":
                body = {"serial": "T-0004", "fault_group": "tank", "description": "Teach", "type": "TRAINING"}
                self.about: str = driver.api.post("/work-orders", headers=mona, json=body).json()["code"]
                self.payload = {"clock": rng.choice(("RESPONSE", "RESOLUTION")), "version": 1}
            case "plan_skip":
                text = {"name": "Check", "order_type": "PREVENTIVE", "kind": "CALENDAR", "model": MODEL}
                wanted = text | {"every_count": 20, "every_unit": "YEAR", "serial": "T-0005"}
                plan = driver.api.post("/maintenance-plans", headers=mona, json=wanted)
                assert plan.status_code == 201, plan.text
                keep_plans(self.conn, datetime.now(UTC))
                found = driver.api.get(f"/maintenance-plans/occurrences?plan={plan.json()['code']}", headers=mona)
                (occurrence,) = found.json()["items"]
                self.about = occurrence["code"]
            case _:
                self.about = "customers"
                self.payload = {"format": "csv", "filter": {}, "columns": ["code", "contacts"]}

    def propose(self, rng: Random) -> Command:
        who: Person = rng.choice(list(self.people.values()))
        body: dict[str, Any] = {"reason": pick_text(rng, "the ward was closed"), **pick_signature(rng, SIGNED)}
        if not self.code or rng.random() < 0.4:
            body |= {"kind": self.kind, "entity_id": self.about, "payload": self.payload}
            return Command(who, "ask", "POST", "/approval-requests", body, None)
        body["to"] = rng.choice(("GRANTED", "REFUSED", "WITHDRAWN"))
        path = f"/approval-requests/{self.code}/transitions"
        return Command(who, "decide", "POST", path, body, pick_if_match(rng))

    def watch(self, command: Command) -> Row:
        return Row("approval_request", "code = %s", (self.code,), is_record=command.kind == "decide")

    def judge(self, command: Command) -> Verdict:
        verdict = Verdict(bumps=command.kind == "decide")
        who, body = command.who, command.body
        ask, decide = RULES[self.kind]
        verdict.unless(who.has(*READ), "403")
        verdict.unless(who.id is not None, "person_needed")
        has_reason = bool(body["reason"].strip())
        if command.kind == "ask":
            verdict.unless(who.has(*ask), "403")
            verdict.unless(has_reason, "reason_missing")
            verdict.signatures = 1
            judge_signature(command, verdict)
            if self.kind in ONCE:
                verdict.unless(self.state != "ASKED", "asked_already")
                verdict.unless(not self.is_granted, ONCE[self.kind])
            return verdict
        verdict.unless(who.has(*ask, *decide, "auditor"), "404")
        verdict.unless(self.state == "ASKED", "no_such_transition")
        if body["to"] == "WITHDRAWN":
            verdict.unless(who.has(*ask), "403")
            verdict.unless(who.name == self.asker, "not_asker")
            return verdict
        verdict.unless(who.has(*decide), "403")
        verdict.unless(who.name != self.asker, "second_person")
        verdict.unless(has_reason or body["to"] == "GRANTED", "reason_missing")
        verdict.signatures = 1
        judge_signature(command, verdict)
        if body["to"] == "GRANTED":
            verdict.audits = 2  # that it was granted, and the change itself
        return verdict

    def apply(self, command: Command, answer: Mapping[str, Any]) -> None:
        if command.kind == "ask":
            self.code, self.asker, self.state = answer["code"], command.who.name, "ASKED"
            return
        self.state = command.body["to"]
        self.is_granted = self.is_granted or self.state == "GRANTED"
        if self.state == "GRANTED" and self.kind == "plan_skip":
            row = self.conn.execute("SELECT state FROM plan_occurrence WHERE code = %s", (self.about,)).fetchone()
            assert row == ("SKIPPED",)
        if self.state == "GRANTED" and self.kind == "sla_waiver":
            waived = self.conn.execute(
                "SELECT k.clock FROM sla_clock k JOIN work_order w ON w.id = k.work_order_id"
                " WHERE w.code = %s AND k.waived_at IS NOT NULL",
                (self.about,),
            ).fetchall()
            assert waived == [(self.payload["clock"],)]
