"""What the service's rules allow with a complaint, the assessment of its harm, and the decision to report it."""

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
from tests.integration.api.state_machines.work_orders import judge_signature

READ = ("dispatcher", "service_manager", "quality_engineer", "quality_approver", "auditor")
WRITE = ("technician", "dispatcher", "service_manager", "quality_engineer", "integrator")
ASSESS = ("quality_engineer",)
DECIDE = ("quality_approver",)
STEPS: dict[tuple[str, str], tuple[str, ...]] = {
    ("RECEIVED", "INVESTIGATION"): WRITE,
    ("RECEIVED", "RESOLVED"): ASSESS,
    ("INVESTIGATION", "RESOLVED"): WRITE,
    ("RESOLVED", "INVESTIGATION"): WRITE,
    ("RESOLVED", "CLOSED"): ASSESS,
    ("CLOSED", "INVESTIGATION"): ASSESS,
}
STATES = ("RECEIVED", "INVESTIGATION", "RESOLVED", "CLOSED")
# After 21 CFR 820.35(a); "not given" where it could not be learnt.
REQUIRED = ("device_name", "device_identification", "reporter_name", "reporter_address", "reporter_phone", "correction",
            "reply")  # fmt: skip
AUTHORITIES = ("EU", "US", "CN")


class ComplaintMachine:
    """One complaint without a work order; `decisions` and `clocks` are those of the newest assessment."""

    def __init__(self, driver: Driver, rng: Random) -> None:
        self.people = driver.people
        body = {"severity": "MAJOR", "details": "It leaks", "device_name": "a pump", "customer": "T-C0"}
        made = driver.api.post("/complaints", headers=self.people["dirk"].headers, json=body)
        assert made.status_code == 201, made.text
        self.code: str = made.json()["code"]
        self.state = "RECEIVED"
        self.filled = {"device_name"}
        self.investigated: bool | None = None
        self.assessor: str | None = None
        self.aware_at = datetime.now(UTC)
        self.jurisdictions: tuple[str, ...] = ()
        self.decision: str | None = None
        self.was_reportable = False
        self.clocks: dict[str, str] = {}
        self.told: set[str] = set()

    def propose(self, rng: Random) -> Command:
        who: Person = rng.choice(list(self.people.values()))
        path, if_match = f"/complaints/{self.code}", pick_if_match(rng)
        roll = rng.random()
        if roll < 0.15:
            names = rng.sample(REQUIRED, rng.choice((1, len(REQUIRED))))
            body: dict[str, Any] = {"reason": "learnt", **{name: f"not given {rng.random()}" for name in names}}
            return Command(who, "change", "PATCH", path, body, if_match)
        if roll < 0.3:
            at = datetime.now(UTC) + timedelta(hours=rng.choice((-5, -5, -5, 5)))
            chosen = rng.sample(AUTHORITIES, rng.randrange(0, 3))
            body = {"aware_at": at.isoformat(), "harm": rng.choice(("NONE", "SERIOUS_INJURY", "DEATH"))}
            body |= {"jurisdictions": chosen, "reason": pick_text(rng, "as the ward said")}
            return Command(who, "assess", "POST", f"{path}/assessment", body, if_match, at)
        if roll < 0.45:
            decision = rng.choice(("REPORTABLE", "NOT_REPORTABLE"))
            chosen = rng.sample(AUTHORITIES, rng.randrange(0, 3))
            body = {"decision": decision, "justification": pick_text(rng, "by the facts"), "reportable_in": chosen}
            body |= pick_signature(rng, SIGNED)
            return Command(who, "decide", "POST", f"{path}/assessment/decision", body, if_match)
        if roll < 0.6:
            at = datetime.now(UTC) + timedelta(hours=rng.choice((-1, -1, -1, 5, -50)))
            body = {"jurisdiction": rng.choice(AUTHORITIES), "submitted_at": at.isoformat()}
            body["reference"] = pick_text(rng, "R-1")
            return Command(who, "submit", "POST", f"{path}/assessment/submissions", body, if_match, at)
        body = {"to": rng.choice(STATES), "reason": pick_text(rng, "as agreed")}
        body["investigation"] = pick_text(rng, "a seal was worn")
        if body["to"] == "CLOSED":
            body |= pick_signature(rng, SIGNED)
        return Command(who, "step", "POST", f"{path}/transitions", body, if_match)

    def watch(self, command: Command) -> Row:
        return Row("complaint", "code = %s", (self.code,))

    def judge(self, command: Command) -> Verdict:
        verdict = Verdict()
        judge = {"step": self._judge_step, "change": self._judge_change, "assess": self._judge_assessment,
                 "decide": self._judge_decision, "submit": self._judge_submission}[command.kind]  # fmt: skip
        judge(command, verdict)
        return verdict

    def _judge_step(self, command: Command, verdict: Verdict) -> None:
        who, to, body = command.who, command.body["to"], command.body
        verdict.unless(who.has(*WRITE), "403")
        roles = STEPS.get((self.state, to))
        if roles is None:
            verdict.refusals.add("no_such_transition")
            return
        verdict.unless(who.has(*roles), "403")
        verdict.unless(who.id is not None, "person_needed")
        has_reason = bool(body["reason"].strip())
        if to == "INVESTIGATION":
            verdict.unless(has_reason or self.state == "RECEIVED", "reason_missing")
        elif to == "RESOLVED" and self.state == "RECEIVED":
            verdict.unless(has_reason, "reason_missing")
            verdict.unless(not self.was_reportable, "must_investigate")
        elif to == "RESOLVED":
            verdict.unless(bool(body["investigation"].strip()), "investigation_missing")
        else:
            verdict.signatures = 1
            judge_signature(command, verdict)
            verdict.unless(self.filled == set(REQUIRED), "record_incomplete")
            verdict.unless(self.decision is not None, "vigilance_undecided")
            verdict.unless(bool(self.investigated) or not self.was_reportable, "must_investigate")
            verdict.unless("RUNNING" not in self.clocks.values(), "report_open")

    def _judge_change(self, command: Command, verdict: Verdict) -> None:
        verdict.unless(command.who.has(*WRITE), "403")
        verdict.unless(self.state != "CLOSED", "closed")

    def _judge_assessment(self, command: Command, verdict: Verdict) -> None:
        verdict.unless(command.who.has(*ASSESS), "403")
        verdict.unless(command.who.id is not None, "person_needed")
        verdict.unless(self.state != "CLOSED", "complaint_closed")
        verdict.unless(command.about <= datetime.now(UTC), "aware_in_future")
        verdict.unless(bool(command.body["jurisdictions"]), "jurisdiction_missing")
        verdict.unless(bool(command.body["reason"].strip()), "reason_missing")

    def _judge_decision(self, command: Command, verdict: Verdict) -> None:
        who, body = command.who, command.body
        verdict.unless(who.has(*DECIDE), "403")
        verdict.unless(who.id is not None, "person_needed")
        verdict.unless(self.state != "CLOSED", "complaint_closed")
        verdict.unless(self.assessor is not None, "not_assessed")
        verdict.unless(self.decision is None, "decided_already")
        verdict.unless(who.name != self.assessor, "second_person")
        verdict.unless(bool(body["justification"].strip()), "justification_missing")
        verdict.signatures = 1
        judge_signature(command, verdict)
        if body["decision"] == "REPORTABLE":
            verdict.unless(bool(body["reportable_in"]), "jurisdiction_missing")
            verdict.unless(set(body["reportable_in"]) <= set(self.jurisdictions), "not_assessed_there")
            verdict.unless(bool(self.clocks), "no_harm_assessed")

    def _judge_submission(self, command: Command, verdict: Verdict) -> None:
        who, at = command.who, command.about
        verdict.unless(who.has(*READ), "403")
        verdict.unless(who.has(*ASSESS, *DECIDE), "403")
        verdict.unless(who.id is not None, "person_needed")
        where = command.body["jurisdiction"]
        verdict.unless(self.assessor is not None, "not_assessed")
        verdict.unless(self.clocks.get(where) != "SUBMITTED", "submitted_already")
        verdict.unless(where in self.told, "not_reportable")
        verdict.unless(bool(command.body["reference"].strip()), "reference_missing")
        verdict.unless(at <= datetime.now(UTC), "submitted_in_future")
        verdict.unless(at >= self.aware_at, "submitted_before_aware")

    def apply(self, command: Command, answer: Mapping[str, Any]) -> None:
        body = command.body
        match command.kind:
            case "change":
                self.filled |= set(body) - {"reason"}
            case "assess":
                self.assessor, self.aware_at, self.decision, self.told = command.who.name, command.about, None, set()
                self.jurisdictions = tuple(body["jurisdictions"])
                runs = body["harm"] != "NONE"
                self.clocks = dict.fromkeys(self.jurisdictions, "RUNNING") if runs else {}
            case "decide":
                self.decision = body["decision"]
                if self.decision == "REPORTABLE":
                    self.was_reportable = True
                    self.told = set(body["reportable_in"])
                self.clocks |= {w: "NOT_REQUIRED" for w in self.clocks if w not in self.told}
            case "submit":
                self.clocks[body["jurisdiction"]] = "SUBMITTED"
            case _:
                if body["to"] == "INVESTIGATION":
                    self.investigated = True
                elif self.state == "RECEIVED":
                    self.investigated = False
                self.state = body["to"]
        shown = {clock["jurisdiction"]: clock["state"] for a in answer["assessments"][-1:] for clock in a["clocks"]}
        assert shown == self.clocks, f"the clocks are {shown}, by the rules {self.clocks}"
