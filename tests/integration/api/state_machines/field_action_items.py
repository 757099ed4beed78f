"""What the service's rules allow with one device of a field action, and what follows from what is said about it."""

from typing import Any, Protocol

from store.pool import Connection
from tests.integration.api.state_machines.driver import Command, Verdict

WORK = ("dispatcher", "service_manager", "quality_engineer")
RUNNING = ("NOTIFYING", "EXECUTING")
ORDER = ("IDENTIFIED", "NOTIFIED", "ACKNOWLEDGED", "SCHEDULED", "REMEDIATED", "VERIFIED")
OPEN = ORDER[:4]
ITEM_STATES = (*ORDER, "UNREACHABLE", "SCRAPPED")
# Steps may be left out; who was given up can be found; an appointment can fall through.
ITEM_STEPS = {(was, to) for n, was in enumerate(OPEN) for to in (*ORDER[n + 1 : 5], "UNREACHABLE", "SCRAPPED")}
ITEM_STEPS |= {("SCHEDULED", "ACKNOWLEDGED"), ("REMEDIATED", "VERIFIED")}
ITEM_STEPS |= {("UNREACHABLE", to) for to in ("NOTIFIED", "ACKNOWLEDGED", "SCHEDULED", "REMEDIATED", "SCRAPPED")}
# These follow from what devices and work orders say, and people do not take them.
OF_THE_MACHINE = {(was, to) for was in ("REMEDIATED", "VERIFIED") for to in ("NOTIFIED", "SCHEDULED")}
CUSTOMERS = {"T-0000": "T-C0", "T-0001": "T-C1", "T-0004": "T-C0", "T-0005": "T-C1"}
TOLD = ("SENT", "REACHED", "ACKNOWLEDGED", "REFUSED")
FAILED = ("NO_ANSWER", "UNDELIVERABLE")
MOST_ATTEMPTS = 2


class ActionOfItems(Protocol):
    """What an action says to its devices."""

    state: str
    is_halted: bool
    is_campaign: bool
    wave: int
    items: dict[str, dict[str, Any]]
    running: set[str]


def judge_item(action: ActionOfItems, command: Command, verdict: Verdict) -> None:
    """A step that somebody takes with one device."""
    who, body, item = command.who, command.body, action.items[command.about]
    was, to = item["state"], body["to"]
    verdict.events = ["fieldaction.item.changed"]
    if (was, to) in OF_THE_MACHINE:
        verdict.refusals.add("only_the_device")
        return
    if (was, to) not in ITEM_STEPS:
        verdict.refusals.add("no_such_transition")
        return
    verdict.unless(who.has(*WORK), "403")
    late = action.state == "EFFECTIVENESS" and to == "VERIFIED"
    verdict.unless(action.state in RUNNING or late, "action_not_running")
    has_reason, has_evidence = bool(body["reason"].strip()), bool(body["evidence"].strip())
    match to:
        case "SCHEDULED":
            verdict.unless(not action.is_halted, "action_halted")
            verdict.unless(item["wave"] <= action.wave, "wave_not_open")
            verdict.unless(body["scheduled_for"] is not None, "date_missing")
        case "ACKNOWLEDGED":
            verdict.unless(has_reason or was != "SCHEDULED", "reason_missing")
        case "REMEDIATED" if action.is_campaign:
            runs = command.about in action.running
            verdict.refusals.add("only_the_device" if runs else "device_has_not_reported")
        case "REMEDIATED":
            verdict.unless(has_evidence, "evidence_missing")
        case "VERIFIED":
            verdict.unless(not action.is_campaign or command.about in action.running, "device_has_not_reported")
            verdict.unless(who.id is not None, "person_needed")
            verdict.unless(who.name != item["by"], "own_work")
            verdict.unless(has_evidence, "evidence_missing")
        case "UNREACHABLE":
            verdict.unless(item["attempts"] >= MOST_ATTEMPTS, "attempts_missing")
        case "SCRAPPED":
            verdict.unless(has_reason, "reason_missing")


def find_told(item: dict[str, Any], result: str) -> dict[str, Any]:
    """The device after who has it was told, or not reached."""
    state = item["state"]
    if result in FAILED:
        if state not in OPEN:
            return item
        attempts = item["attempts"] + 1
        is_last = attempts >= MOST_ATTEMPTS and state in ("IDENTIFIED", "NOTIFIED")
        return item | {"attempts": attempts} | ({"state": "UNREACHABLE"} if is_last else {})
    after = item if result == "SENT" or state not in (*OPEN, "UNREACHABLE") else item | {"attempts": 0}
    if result == "ACKNOWLEDGED":
        return after | {"state": "ACKNOWLEDGED"} if state in ("IDENTIFIED", "NOTIFIED", "UNREACHABLE") else after
    if state == "IDENTIFIED" or (state == "UNREACHABLE" and result != "SENT"):
        return after | {"state": "NOTIFIED"}
    return after


def load_items(conn: Connection, code: str) -> dict[str, tuple[Any, ...]]:
    """State, attempts and wave of each device of the action, by serial."""
    rows = conn.execute(
        "SELECT d.serial, i.state, i.attempts, i.wave FROM field_action_item i JOIN device d ON d.id = i.device_id"
        " WHERE i.field_action_id = (SELECT id FROM field_action WHERE code = %s)",
        (code,),
    )
    return {row[0]: row[1:] for row in rows}
