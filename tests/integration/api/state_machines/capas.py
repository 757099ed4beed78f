"""What the service's rules allow with a CAPA, its root cause, its actions and the check of its effect."""

from collections.abc import Mapping
from datetime import UTC, datetime
from random import Random
from typing import Any

from service_link.effectiveness import measure_effectiveness
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

READ = ("service_manager", "quality_engineer", "quality_approver", "engineer", "integrator", "auditor")
WORK = ("quality_engineer",)
APPROVE = ("quality_approver",)
EITHER = (*WORK, *APPROVE)
STEPS: dict[tuple[str, str], tuple[str, ...]] = {
    ("PROPOSED", "OPEN"): APPROVE,
    ("PROPOSED", "REJECTED"): APPROVE,
    ("OPEN", "INVESTIGATION"): WORK,
    ("INVESTIGATION", "ACTION_PLAN"): WORK,
    ("ACTION_PLAN", "IMPLEMENTATION"): APPROVE,  # two sign
    ("ACTION_PLAN", "INVESTIGATION"): EITHER,
    ("IMPLEMENTATION", "VERIFICATION"): WORK,
    ("IMPLEMENTATION", "ACTION_PLAN"): EITHER,
    ("VERIFICATION", "EFFECTIVENESS"): APPROVE,
    ("VERIFICATION", "IMPLEMENTATION"): EITHER,
    ("VERIFICATION", "INVESTIGATION"): EITHER,
    ("EFFECTIVENESS", "CLOSED"): EITHER,  # one asks, an approver closes
    ("EFFECTIVENESS", "INVESTIGATION"): EITHER,
    ("EFFECTIVENESS", "ACTION_PLAN"): EITHER,
}
STATES = ("OPEN", "REJECTED", "INVESTIGATION", "ACTION_PLAN", "IMPLEMENTATION", "VERIFICATION", "EFFECTIVENESS",
          "CLOSED", "PROPOSED")  # fmt: skip
WEIGHTS = (3, 0.2, 1, 2, 4, 4, 4, 4, 0.3)
EVENTS = {"OPEN": "capa.opened", "CLOSED": "capa.closed", "REJECTED": "capa.closed"}
PLANNING = ("OPEN", "INVESTIGATION", "ACTION_PLAN")
ACTION_STEPS: dict[tuple[str, str], tuple[str, ...]] = {
    ("OPEN", "DONE"): WORK,
    ("OPEN", "CANCELLED"): WORK,
    ("DONE", "VERIFIED"): EITHER,
    ("DONE", "OPEN"): EITHER,
}
PROOF = {"kind": "DOCUMENT", "ref": "LAB-17"}
ROOT = {
    "category": "MATERIAL",
    "verdict": "ROOT",
    "statement": "The grease dries out",
    "whys": [{"statement": f"because {n}"} for n in range(3)],
    "evidence": [PROOF],
}
# A cause as it is written, and the rule that it breaks.
CAUSES: tuple[tuple[dict[str, Any], str], ...] = (
    (ROOT, ""),
    (ROOT, ""),
    (ROOT | {"verdict": "CANDIDATE"}, "root_cause_missing"),
    (ROOT | {"whys": [{"statement": "because"}]}, "whys_missing"),
    (ROOT | {"evidence": []}, "evidence_missing"),
)
CHECK = {"metric": "WORK_ORDER_RATE", "limit_kind": "RATE", "limit": 500.0, "period_days": 60}
CHECKS: tuple[tuple[dict[str, Any], str], ...] = (
    (CHECK, ""),
    (CHECK, ""),
    (CHECK | {"limit": 0.001}, "period_too_short"),
    (CHECK | {"limit_kind": "RATIO", "limit": 0.5, "metric": "BREACH_RATE"}, "no_rate_before"),
)


class CapaMachine:
    """One CAPA; `plan_signed` and `closure_asked` are who signed what it says now."""

    def __init__(self, driver: Driver, rng: Random) -> None:
        self.people, self.conn, self.rng = driver.people, driver.conn, rng
        proposer = driver.people[rng.choice(("quinn", "ambi"))]
        body = {"model": MODEL, "fault_group": f"group-{rng.randrange(10**9)}", "reason": "seen in an audit"}
        made = driver.api.post("/capas", headers=proposer.headers, json=body)
        assert made.status_code == 201, made.text
        self.code: str = made.json()["code"]
        self.state = "PROPOSED"
        self.authors = {proposer.name}
        self.round = 1
        self.cause_flaw = "problem_missing"
        self.cause_round = 0
        self.actions: dict[int, dict[str, Any]] = {}
        self.check_flaw = "effectiveness_plan_missing"
        self.plan_signed: set[str] = set()
        self.closure_asked: set[str] = set()
        self.verdict: str | None = None

    def propose(self, rng: Random) -> Command:
        who: Person = rng.choice(list(self.people.values()))
        path, if_match = f"/capas/{self.code}", pick_if_match(rng)
        roll = rng.random()
        if roll < 0.12:
            cause, flaw = rng.choice(CAUSES)
            body: dict[str, Any] = {"problem": f"Motors wear {rng.random()}", "causes": [cause]}
            return Command(who, "cause", "PUT", f"{path}/root-cause", body, if_match, flaw)
        if roll < 0.24:
            body, flaw = rng.choice(CHECKS)
            return Command(who, "check", "PUT", f"{path}/effectiveness", body, if_match, flaw)
        if roll < 0.36:
            body = {"kind": rng.choice(("CORRECTIVE", "CORRECTIVE", "PREVENTIVE", "CORRECTION")), "text": "New grease"}
            body |= {"owner": rng.choice(("quinn", "rosa", "quinn", None))}
            body |= {"due_on": rng.choice(("2099-01-01", "2099-01-01", "2099-01-01", None))}
            if self.actions and rng.random() < 0.5:
                number = rng.choice(list(self.actions))
                return Command(who, "change", "PUT", f"{path}/actions/{number}", body, if_match, number)
            return Command(who, "action", "POST", f"{path}/actions", body, if_match)
        if roll < 0.6 and self.actions:
            number = rng.choice(list(self.actions))
            body = {"to": rng.choices(("DONE", "VERIFIED", "CANCELLED", "OPEN"), (5, 5, 1, 1))[0]}
            body |= {"evidence": pick_text(rng, "seen"), "reason": pick_text(rng, "as discussed")}
            return Command(who, "act", "POST", f"{path}/actions/{number}/transitions", body, if_match, number)
        body = {"to": rng.choices(STATES, WEIGHTS)[0], "reason": pick_text(rng, "as discussed")}
        if body["to"] in ("IMPLEMENTATION", "CLOSED"):
            body |= pick_signature(rng, SIGNED)
        return Command(who, "step", "POST", f"{path}/transitions", body, if_match)

    def watch(self, command: Command) -> Row:
        return Row("capa", "code = %s", (self.code,))

    def judge(self, command: Command) -> Verdict:
        verdict = Verdict()
        verdict.unless(command.who.has(*READ), "403")
        verdict.unless(command.who.id is not None, "person_needed")
        match command.kind:
            case "step":
                self._judge_step(command, verdict)
            case "act":
                self._judge_act(command, verdict)
            case kind:
                verdict.unless(command.who.has(*WORK), "403")
                if kind == "cause":
                    verdict.unless(self.state == "INVESTIGATION", "not_in_investigation")
                elif kind == "check":
                    verdict.unless(self.state == "ACTION_PLAN", "plan_not_open")
                else:
                    self._judge_plan(command, verdict)
        return verdict

    def _judge_plan(self, command: Command, verdict: Verdict) -> None:
        known = self.actions.get(command.about) if command.kind == "change" else None
        kinds = {command.body["kind"]} if known is None else {command.body["kind"], known["kind"]}
        states = PLANNING if kinds == {"CORRECTION"} else ("ACTION_PLAN",)
        verdict.unless(self.state in states, "plan_not_open")
        verdict.unless(known is None or known["state"] == "OPEN", "plan_not_open")

    def _judge_act(self, command: Command, verdict: Verdict) -> None:
        who, body, action = command.who, command.body, self.actions[command.about]
        roles = ACTION_STEPS.get((action["state"], body["to"]))
        if roles is None:
            verdict.refusals.add("no_such_transition")
            return
        verdict.unless(who.has(*roles), "403")
        match body["to"]:
            case "DONE":
                early = action["kind"] == "CORRECTION" and self.state in PLANNING
                verdict.unless(self.state == "IMPLEMENTATION" or early, "plan_not_approved")
                verdict.unless(bool(body["evidence"].strip()), "evidence_missing")
            case "VERIFIED":
                verdict.unless(self.state == "VERIFICATION", "not_in_verification")
                verdict.unless(who.name not in (action["done_by"], action["owner"]), "own_work")
                verdict.unless(bool(body["evidence"].strip()), "evidence_missing")
            case "OPEN":
                allowed = (*PLANNING, "IMPLEMENTATION", "VERIFICATION")
                verdict.unless(self.state in allowed, "not_in_verification")
                verdict.unless(bool(body["reason"].strip()), "reason_missing")
            case _:
                verdict.unless(self.state in PLANNING, "plan_not_open")
                verdict.unless(bool(body["reason"].strip()), "reason_missing")

    def _judge_step(self, command: Command, verdict: Verdict) -> None:
        who, to = command.who, command.body["to"]
        roles = STEPS.get((self.state, to))
        if roles is None:
            verdict.refusals.add("no_such_transition")
            return
        verdict.unless(who.has(*roles), "403")
        verdict.events = [EVENTS[to]] if to in EVENTS else []
        counted = [a for a in self.actions.values() if a["state"] != "CANCELLED"]
        doers = {a["done_by"] for a in counted}
        has_reason = bool(command.body["reason"].strip())
        match self.state, to:
            case "PROPOSED", "OPEN":
                verdict.unless(who.name not in self.authors, "own_work")
                verdict.unless(has_reason, "reason_missing")
            case ("OPEN", "INVESTIGATION"):
                pass
            case "INVESTIGATION", "ACTION_PLAN":
                verdict.unless(not self.cause_flaw, self.cause_flaw)
                verdict.unless(self.cause_round == self.round, "root_cause_not_reviewed")
                verdict.unless(self.cause_round > 0, "root_cause_missing")
            case "ACTION_PLAN", "IMPLEMENTATION":
                self._judge_approval(command, verdict, counted)
            case "IMPLEMENTATION", "VERIFICATION":
                verdict.unless(all(a["state"] != "OPEN" for a in counted), "actions_open")
            case "VERIFICATION", "EFFECTIVENESS":
                verdict.unless(all(a["state"] == "VERIFIED" for a in counted), "actions_not_verified")
                verdict.unless(who.name not in self.authors | doers, "own_work")
                verdict.unless(has_reason, "reason_missing")
            case "EFFECTIVENESS", "CLOSED":
                verdict.signatures = 1
                judge_signature(command, verdict)
                verdict.unless(self.verdict is not None, "period_not_over")
                verdict.unless(self.verdict != "FAILED", "effectiveness_failed")
                verdict.unless(self.verdict != "INCONCLUSIVE", "effectiveness_inconclusive")
                verdict.unless(who.name not in self.closure_asked, "second_person")
                if self._closes(who):
                    verdict.unless(who.name not in self.authors | doers, "own_work")
                else:
                    verdict.events = []
            case _:
                verdict.unless(has_reason, "reason_missing")
                if (self.state, to) == ("EFFECTIVENESS", "ACTION_PLAN"):
                    verdict.unless(self.verdict != "FAILED", "effectiveness_failed")

    def _judge_approval(self, command: Command, verdict: Verdict, counted: list[dict[str, Any]]) -> None:
        against = [a for a in counted if a["kind"] != "CORRECTION"]
        verdict.unless(any(a["round"] == self.round for a in against), "action_missing")
        verdict.unless(all(a["owner"] for a in counted), "owner_missing")
        verdict.unless(all(a["due_on"] for a in counted), "due_date_missing")
        verdict.unless(not self.check_flaw, self.check_flaw)
        verdict.signatures = 1
        judge_signature(command, verdict)
        verdict.unless(command.who.name not in self.authors, "own_work")
        verdict.unless(command.who.name not in self.plan_signed, "second_person")

    def _closes(self, who: Person) -> bool:
        return who.has(*APPROVE) and bool(self.closure_asked - {who.name})

    def apply(self, command: Command, answer: Mapping[str, Any]) -> None:
        match command.kind:
            case "step":
                self._apply_step(command)
            case "act":
                self._apply_act(command)
            case kind:
                if kind == "cause":
                    self.cause_flaw, self.cause_round = command.about, self.round
                elif kind == "check":
                    self.check_flaw = command.about
                else:
                    number = command.about or max(a["number"] for a in answer["actions"])
                    known = {name: command.body[name] for name in ("kind", "owner", "due_on")}
                    self.actions[number] = known | {"state": "OPEN", "round": self.round, "done_by": None}
                self._write(command)
        assert answer["approvals"] == len(self.plan_signed), (answer["approvals"], self.plan_signed)

    def _write(self, command: Command) -> None:
        """Who writes is an author, and what was signed before is not what it says now."""
        self.authors.add(command.who.name)
        self.plan_signed = set()

    def _apply_act(self, command: Command) -> None:
        action, to = self.actions[command.about], command.body["to"]
        action["state"] = to
        if to in ("DONE", "OPEN"):
            action["done_by"] = command.who.name if to == "DONE" else None
        if to == "CANCELLED":
            self._write(command)

    def _apply_step(self, command: Command) -> None:
        who, to = command.who, command.body["to"]
        was = self.state
        if was == "ACTION_PLAN" and to == "IMPLEMENTATION":
            self.plan_signed.add(who.name)
            to = to if len(self.plan_signed) == 2 else was
        elif to == "CLOSED":
            closes = self._closes(who)
            self.closure_asked.add(who.name)
            to = to if closes else was
        if was != to and to in PLANNING:
            self.plan_signed = set()
        if to == "INVESTIGATION" and was in ("VERIFICATION", "EFFECTIVENESS"):
            self.round += 1
        if was == "EFFECTIVENESS" and to not in (was, "CLOSED"):
            self.verdict, self.closure_asked = None, set()
        self.state = to
        if to == "EFFECTIVENESS" and was != to and self.rng.random() < 0.8:
            self._pass_period()

    def _pass_period(self) -> None:
        """The period is over, and the machine has computed its figures."""
        now = datetime.now(UTC)
        self.conn.execute(
            "UPDATE capa SET effective_from = effective_from - interval '70 days',"
            " effective_until = %s - interval '1 second' WHERE code = %s",
            (now, self.code),
        )
        measure_effectiveness(self.conn, now)
        row = self.conn.execute("SELECT effectiveness_verdict FROM capa WHERE code = %s", (self.code,)).fetchone()
        assert row is not None
        self.verdict = row[0]
        assert self.verdict is not None
