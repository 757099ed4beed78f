"""What the service's rules allow with a field action, its devices, and what is said to who has them."""

from collections.abc import Mapping
from datetime import UTC, datetime
from random import Random
from typing import Any

from service_link.field_actions import follow_round
from tests.integration.api.state_machines.campaigns import end_other_campaigns, release, report
from tests.integration.api.state_machines.driver import (
    Command,
    Driver,
    Row,
    Verdict,
    pick_if_match,
    pick_signature,
    pick_text,
)
from tests.integration.api.state_machines.field_action_items import (
    CUSTOMERS,
    FAILED,
    ITEM_STATES,
    MOST_ATTEMPTS,
    OPEN,
    ORDER,
    RUNNING,
    TOLD,
    WORK,
    find_told,
    judge_item,
    load_items,
)
from tests.integration.api.state_machines.people import SIGNED, Person
from tests.integration.api.state_machines.work_orders import judge_signature
from tests.support.fleet import MODEL

STRANGERS = ("customer", "data_steward", "admin")
WRITE = ("quality_engineer",)
APPROVE = ("quality_approver",)
STEPS: dict[tuple[str, str], tuple[str, ...]] = {
    ("DRAFT", "APPROVED"): APPROVE,  # two sign
    ("APPROVED", "NOTIFYING"): WRITE,
    ("NOTIFYING", "EXECUTING"): WRITE,
    ("EXECUTING", "EFFECTIVENESS"): WRITE,
    ("EFFECTIVENESS", "EXECUTING"): (*WRITE, *APPROVE),
    ("EFFECTIVENESS", "CLOSED"): APPROVE,
    ("DRAFT", "CANCELLED"): WRITE,
    ("APPROVED", "CANCELLED"): APPROVE,
    ("NOTIFYING", "CANCELLED"): APPROVE,
    ("EXECUTING", "CANCELLED"): APPROVE,
}
STATES = ("DRAFT", "APPROVED", "NOTIFYING", "EXECUTING", "EFFECTIVENESS", "CLOSED", "CANCELLED")
WEIGHTS = (0.3, 4, 4, 4, 4, 4, 0.2)


class FieldActionMachine:
    """One recall, correction or firmware campaign; `items` by serial, `signed` who did and what the draft said then."""

    def __init__(self, driver: Driver, rng: Random) -> None:
        self.people, self.conn, self.rng = driver.people, driver.conn, rng
        writer = driver.people[rng.choice(("quinn", "ambi"))]
        self.is_campaign = rng.random() < 0.5
        kind = "FIRMWARE" if self.is_campaign else rng.choice(("RECALL", "CORRECTION"))
        self.fields: dict[str, Any] = {"kind": kind, "title": "Leak", "model": MODEL}
        self.version = f"{rng.randrange(10**6)}.{rng.randrange(10**6)}"
        self.is_released = True
        self.running: set[str] = set()  # devices that have reported that they run the version
        if self.is_campaign:
            end_other_campaigns(driver)
            release(driver, self.version)
            self.fields["firmware_version"] = self.version
        self.waves = rng.choice((1, 2))
        if self.waves == 2:
            self.fields["waves"] = [{"serials": ["T-0000"], "soak_h": 0, "done_share": 1.0}, {}]
        self.fields["max_attempts"] = MOST_ATTEMPTS
        made = driver.api.post("/field-actions", headers=writer.headers, json=self.fields)
        assert made.status_code == 201, made.text
        self.code: str = made.json()["code"]
        self.state = "DRAFT"
        self.authors = {writer.name}
        self.title = "Leak"
        self.items: dict[str, dict[str, Any]] = {}
        self.signed: set[tuple[str, Any]] = set()
        self.wave = 0
        self.is_halted = False
        self.told: set[str] = set()
        self.has_figures = False

    @property
    def content(self) -> Any:
        """What is signed of the draft, as far as it is changed here."""
        return self.title, frozenset(self.items)

    def find_approvers(self) -> set[str]:
        """Whose signature holds for what the draft says now: of nobody who wrote any part of it."""
        return {name for name, content in self.signed if content == self.content} - self.authors

    def propose(self, rng: Random) -> Command:
        who: Person = rng.choice(list(self.people.values()))
        path, if_match = f"/field-actions/{self.code}", pick_if_match(rng)
        roll = rng.random()
        if roll < 0.02 and self.is_campaign:
            body: dict[str, Any] = {"to": "WITHDRAWN", "reason": pick_text(rng, "it burns")}
            body |= pick_signature(rng, SIGNED)
            return Command(who, "withdraw", "POST", f"/firmware/{MODEL}/{self.version}/transitions", body, if_match)
        if roll < 0.35 and self.items:
            serial = rng.choice(list(self.items))
            body = {"to": rng.choice(ITEM_STATES), "reason": pick_text(rng, "as agreed")}
            body["evidence"] = pick_text(rng, "seen")
            body["scheduled_for"] = "2099-01-01T08:00:00Z" if rng.random() < 0.8 else None
            return Command(who, "item", "POST", f"{path}/items/{serial}/transitions", body, if_match, serial)
        if roll < 0.5:
            body = {"channel": "PHONE", "result": rng.choice((*TOLD, *FAILED))}
            body |= rng.choice(({"customer": "T-C0"}, {"customer": "T-C1"}, {"serial": rng.choice(list(CUSTOMERS))}))
            return Command(who, "say", "POST", f"{path}/communications", body, None)
        if roll < 0.56:
            body = {**self.fields, "title": rng.choice(("Leak", "Crack"))}
            return Command(who, "change", "PUT", path, body, if_match)
        if roll < 0.62:
            serials = rng.sample(list(CUSTOMERS), rng.randrange(1, 4))
            serials = sorted({"T-0000", *serials}) if self.waves == 2 else serials
            return Command(who, "scope", "PUT", f"{path}/scope", {"serials": serials}, if_match)
        if roll < 0.65:
            return Command(who, "halt", "POST", f"{path}/halt", {"reason": pick_text(rng, "wrong letter")}, None)
        if roll < 0.7:
            body = {"reason": pick_text(rng, "mended"), **pick_signature(rng, SIGNED)}
            return Command(who, "resume", "POST", f"{path}/resumption", body, if_match)
        if roll < 0.75:
            return Command(who, "wave", "POST", f"{path}/waves", {}, if_match)
        body = {"to": rng.choices(STATES, WEIGHTS)[0], "reason": pick_text(rng, "as agreed")}
        body |= pick_signature(rng, SIGNED)
        return Command(who, "step", "POST", f"{path}/transitions", body, if_match)

    def watch(self, command: Command) -> Row:
        if command.kind == "withdraw":
            return Row("firmware_record", "version = %s", (self.version,), is_record=False)
        if command.kind == "item":
            within = "field_action_id = (SELECT id FROM field_action WHERE code = %s)"
            device = "device_id = (SELECT id FROM device WHERE serial = %s)"
            return Row("field_action_item", f"{within} AND {device}", (self.code, command.about), is_record=False)
        return Row("field_action", "code = %s", (self.code,))

    def judge(self, command: Command) -> Verdict:
        verdict = Verdict(also="firmware.notice" if self.is_campaign else "")
        who, body = command.who, command.body
        if command.kind in ("change", "scope"):
            verdict.unless(who.has(*WRITE), "403")
            verdict.unless(who.id is not None, "person_needed")
            verdict.unless(self.state == "DRAFT", "not_draft")
            return verdict
        verdict.unless(not who.has(*STRANGERS), "403")
        match command.kind:
            case "step":
                self._judge_step(command, verdict)
            case "withdraw":
                verdict.unless(self.is_released, "no_such_transition")
                verdict.unless(who.has(*APPROVE) or not self.is_released, "403")
                verdict.unless(who.id is not None, "person_needed")
                verdict.unless(bool(body["reason"].strip()), "reason_missing")
                self._judge_signing(command, verdict, is_approval=False)
                verdict.audits = 1 + (self.state in RUNNING and not self.is_halted)
            case "item":
                judge_item(self, command, verdict)
            case "say":
                self._judge_saying(command, verdict)
            case "halt":
                verdict.unless(who.has(*WRITE, *APPROVE), "403")
                verdict.unless(bool(body["reason"].strip()), "422:reason")
                verdict.unless(self.state in RUNNING, "no_such_transition")
                verdict.unless(not self.is_halted, "halted")
            case "resume":
                verdict.unless(who.has(*APPROVE), "403")
                verdict.unless(who.id is not None, "person_needed")
                verdict.unless(self.is_halted and self.state in RUNNING, "not_halted")
                verdict.unless(self.is_released, "firmware_not_released")
                verdict.unless(bool(body["reason"].strip()), "reason_missing")
                self._judge_signing(command, verdict)
            case _:
                verdict.unless(who.has(*WRITE), "403")
                verdict.unless(who.id is not None, "person_needed")
                verdict.unless(self.state == "EXECUTING", "not_executing")
                verdict.unless(not self.is_halted, "halted")
                verdict.unless(self.wave < self.waves, "last_wave")
                open_now = [s for s, i in self.items.items() if i["wave"] == self.wave and i["state"] in OPEN]
                verdict.unless(not open_now, "wave_not_done")
        return verdict

    def _judge_signing(self, command: Command, verdict: Verdict, *, is_approval: bool = True) -> None:
        verdict.signatures = 1
        judge_signature(command, verdict)
        verdict.unless(not is_approval or command.who.name not in self.authors, "own_work")

    def _judge_step(self, command: Command, verdict: Verdict) -> None:
        who, to, states = command.who, command.body["to"], [i["state"] for i in self.items.values()]
        roles = STEPS.get((self.state, to))
        if roles is None:
            verdict.refusals.add("no_such_transition")
            return
        verdict.unless(who.has(*roles), "403")
        verdict.unless(who.id is not None, "person_needed")
        has_reason = bool(command.body["reason"].strip())
        if to in ("APPROVED", "NOTIFYING", "EXECUTING") and self.state != "EFFECTIVENESS":
            verdict.unless(self.is_released, "firmware_not_released")
        match self.state, to:
            case _, "APPROVED":
                verdict.unless(bool(self.items), "scope_empty")
                self._judge_signing(command, verdict)
                verdict.unless((who.name, self.content) not in self.signed, "second_person")
            case _, "CANCELLED":
                verdict.unless(has_reason, "reason_missing")
                if self.state != "DRAFT":
                    self._judge_signing(command, verdict, is_approval=False)
            case "NOTIFYING", "EXECUTING":
                verdict.unless(not self.is_halted, "halted")
                waiting = {CUSTOMERS[s] for s, i in self.items.items() if i["state"] == "IDENTIFIED"} - self.told
                verdict.unless(not waiting, "customers_not_notified")
            case "EFFECTIVENESS", "EXECUTING":
                verdict.unless(has_reason, "reason_missing")
            case _, "EFFECTIVENESS":
                verdict.unless(not self.is_halted, "halted")
                verdict.unless(not any(state in OPEN for state in states), "items_open")
            case _, "CLOSED":
                verdict.unless(not any(state in ORDER[:5] for state in states), "items_not_verified")
                verdict.unless(self.has_figures, "effectiveness_missing")
                verdict.unless(has_reason or "UNREACHABLE" not in states, "reason_missing")
                self._judge_signing(command, verdict)

    def _judge_saying(self, command: Command, verdict: Verdict) -> None:
        about = self._find_about(command)
        verdict.unless(command.who.has(*WORK), "403")
        verdict.unless(bool(about), "404")
        verdict.unless(self.state in (*RUNNING, "EFFECTIVENESS"), "action_not_running")
        verdict.bumps = 0
        if verdict.refusals or self.state == "EFFECTIVENESS":
            return
        after = {serial: find_told(self.items[serial], command.body["result"]) for serial in about}
        verdict.audits = 1 + sum(self.items[serial] != item for serial, item in after.items())
        moved = [serial for serial, item in after.items() if self.items[serial]["state"] != item["state"]]
        verdict.events = ["fieldaction.item.changed"] * len(moved)

    def _find_about(self, command: Command) -> list[str]:
        body = command.body
        return [s for s in self.items if s == body.get("serial") or CUSTOMERS[s] == body.get("customer")]

    def apply(self, command: Command, answer: Mapping[str, Any]) -> None:
        name, body = command.who.name, command.body
        match command.kind:
            case "step":
                self._apply_step(command)
            case "item":
                self._apply_item(command, answer)
            case "say":
                about = self._find_about(command)
                if body["result"] in TOLD and "customer" in body:
                    self.told.add(body["customer"])
                elif body["result"] in TOLD:
                    self.told.add(CUSTOMERS[body["serial"]])
                if self.state != "EFFECTIVENESS":
                    self.items |= {serial: find_told(self.items[serial], body["result"]) for serial in about}
            case "change":
                self.authors.add(name)
                self.title = body["title"]
            case "scope":
                self.authors.add(name)
                new = {"state": "IDENTIFIED", "attempts": 0, "by": None}
                first = {"T-0000"} if self.waves == 2 else set(CUSTOMERS)
                self.items = {s: new | {"wave": 1 if s in first else 2} for s in body["serials"]}
            case "wave":
                self.wave += 1
            case "withdraw":
                self.is_released = False
                self.is_halted = self.is_halted or self.state in RUNNING
            case kind:
                self.is_halted = kind == "halt"
        if self.is_campaign and self.state in (*RUNNING, "EFFECTIVENESS") and self.rng.random() < 0.15:
            self._report()
        if "approvals" in answer and command.kind != "withdraw":
            holding = len(self.find_approvers())
            assert answer["approvals"] == holding, f"{answer['approvals']} approvals are shown, {holding} hold"
        self._compare_items()

    def _report(self) -> None:
        """A device says what it runs: the version, or another one again."""
        serial = self.rng.choice(list(self.items))
        version = self.version if self.rng.random() < 0.7 else "1.0.0"
        report(self.conn, serial, version)
        self.has_figures = self.has_figures or self.state == "EFFECTIVENESS"
        item = self.items[serial]
        if version == self.version:
            self.running.add(serial)
            if item["state"] in (*OPEN, "UNREACHABLE"):
                self.items[serial] = item | {"state": "REMEDIATED", "by": None}
        else:
            self.running.discard(serial)
            if item["state"] in ("REMEDIATED", "VERIFIED"):
                self.items[serial] = item | {"state": "NOTIFIED", "by": None}

    def _compare_items(self) -> None:
        found = load_items(self.conn, self.code)
        expected = {s: (i["state"], i["attempts"], i["wave"]) for s, i in self.items.items()}
        assert found == expected, f"the devices are {found}, by the rules {expected}"

    def _apply_item(self, command: Command, answer: Mapping[str, Any]) -> None:
        item, to = self.items[command.about], command.body["to"]
        # Whoever is found again was reached, and attempts count since then.
        is_reached = to == "ACKNOWLEDGED" or (item["state"] == "UNREACHABLE" and to in OPEN)
        by = command.who.name if to == "REMEDIATED" and command.who.id is not None else item["by"]
        by = None if to == "SCHEDULED" or to == "NOTIFIED" else by
        self.items[command.about] = item | {"state": to, "by": by} | ({"attempts": 0} if is_reached else {})
        assert answer["state"] == to

    def _apply_step(self, command: Command) -> None:
        was, to = self.state, command.body["to"]
        if to == "APPROVED":
            self.signed.add((command.who.name, self.content))
            to = to if len(self.find_approvers()) == 2 else was
        if (was, to) == ("NOTIFYING", "EXECUTING"):
            self.wave = 1
        if was == "EFFECTIVENESS" and to == "EXECUTING":
            self.has_figures = False
        self.state = to
        if to == "EFFECTIVENESS" and self.rng.random() < 0.8:
            follow_round(self.conn, datetime.now(UTC))
            self.has_figures = True
