"""What the service's rules allow with a registered firmware version."""

from collections.abc import Mapping
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
from tests.support.fleet import MODEL

WRITE = ("engineer",)
APPROVE = ("quality_approver",)
# Releasing takes two people; the first of two signatures leaves it a draft.
STEPS: dict[tuple[str, str], tuple[str, ...]] = {
    ("DRAFT", "APPROVED"): APPROVE,
    ("APPROVED", "RELEASED"): APPROVE,
    ("RELEASED", "WITHDRAWN"): APPROVE,
    ("APPROVED", "WITHDRAWN"): APPROVE,
    ("DRAFT", "WITHDRAWN"): WRITE,
}
STATES = ("DRAFT", "APPROVED", "RELEASED", "WITHDRAWN")
WEIGHTS = (1, 4, 3, 1)
# Who reads field actions and firmware; the others are refused before anything is looked at.
STRANGERS = ("customer", "data_steward", "admin")


class FirmwareMachine:
    """One version; who wrote it approves nothing of it."""

    def __init__(self, driver: Driver, rng: Random) -> None:
        self.people = driver.people
        self.version = f"{rng.randrange(10**6)}.{rng.randrange(10**6)}"
        self.path = f"/firmware/{MODEL}/{self.version}"
        self.state = "DRAFT"
        writer = driver.people[rng.choice(("eva", "erik"))]
        body = {"model": MODEL, "version": self.version, "sha256": "ab" * 32}
        made = driver.api.post("/firmware", headers=writer.headers, json=body)
        assert made.status_code == 201, made.text
        self.code: str = made.json()["code"]
        self.authors = {writer.name}
        self.content = ""
        self.signed: set[tuple[str, str]] = set()  # who signed which content; none counts for another

    def find_approvers(self) -> set[str]:
        """Whose signature holds for what the draft says now: of nobody who wrote any part of it."""
        return {name for name, content in self.signed if content == self.content} - self.authors

    def propose(self, rng: Random) -> Command:
        who: Person = rng.choice(list(self.people.values()))
        if rng.random() < 0.1:
            body = {"sha256": "cd" * 32, "notes": f"{rng.randrange(1000)}"}
            return Command(who, "change", "PUT", self.path, body, pick_if_match(rng))
        body = {"to": rng.choices(STATES, WEIGHTS)[0], "reason": pick_text(rng, "as tested")}
        body |= pick_signature(rng, SIGNED)
        return Command(who, "step", "POST", f"{self.path}/transitions", body, pick_if_match(rng))

    def watch(self, command: Command) -> Row:
        return Row("firmware_record", "code = %s", (self.code,))

    def judge(self, command: Command) -> Verdict:
        verdict = Verdict()
        who = command.who
        if command.kind == "change":
            verdict.unless(who.has(*WRITE), "403")
            verdict.unless(who.id is not None, "person_needed")
            verdict.unless(self.state == "DRAFT", "not_draft")
            return verdict
        verdict.unless(not who.has(*STRANGERS), "403")
        to = command.body["to"]
        roles = STEPS.get((self.state, to))
        if roles is None:
            verdict.refusals.add("no_such_transition")
            return verdict
        verdict.unless(who.has(*roles), "403")
        verdict.unless(who.id is not None, "person_needed")
        if to == "WITHDRAWN":
            verdict.unless(bool(command.body["reason"].strip()), "reason_missing")
            if self.state != "RELEASED":
                return verdict
        else:
            verdict.unless(who.name not in self.authors, "own_work")
        verdict.signatures = 1
        judge_signature(command, verdict)
        if to == "APPROVED":
            verdict.unless((who.name, self.content) not in self.signed, "second_person")
        return verdict

    def apply(self, command: Command, answer: Mapping[str, Any]) -> None:
        name, to = command.who.name, command.body.get("to")
        if command.kind == "change":
            self.authors.add(name)
            self.content = command.body["notes"]
        elif to == "APPROVED":
            self.signed.add((name, self.content))
            if len(self.find_approvers()) == 2:
                self.state = "APPROVED"
        else:
            self.state = str(to)
        holding = len(self.find_approvers())
        assert answer["approvals"] == holding, f"{answer['approvals']} approvals are shown, {holding} hold"
