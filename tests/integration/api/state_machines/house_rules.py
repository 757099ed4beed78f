"""What the service's rules allow with what counts for everybody: certificates, calendars, SLA policies, plans."""

from collections.abc import Mapping
from random import Random
from typing import Any

from tests.integration.api.state_machines.driver import Command, Driver, Row, Verdict, pick_if_match, pick_text
from tests.integration.api.state_machines.people import Person
from tests.support.fleet import MODEL

MANAGE = ("service_manager",)
CERTIFICATE = (
    "user_id = (SELECT id FROM app_user WHERE name = 'otto')"
    " AND device_model_id = (SELECT id FROM device_model WHERE key = 'PROBE-1')"
)
TERMS = {f"P{n}": {"response_h": n, "resolution_h": 8 * n} for n in range(1, 5)}
WEEK = {"monday": ["08:00-12:00"]}
SPOILT = {"monday": ["08:00-25:00"]}


class HouseRulesMachine:
    """A calendar, a policy, a plan and a technician's certificate, each changed at the version that was seen."""

    def __init__(self, driver: Driver, rng: Random) -> None:
        self.people = driver.people
        self.state = "ACTIVE"  # of the plan
        self.name = f"rule-{rng.randrange(10**9)}"
        mona = self.people["mona"].headers
        plan: dict[str, Any] = {
            "name": "Check",
            "order_type": "PREVENTIVE",
            "kind": "CALENDAR",
            "model": MODEL,
            "serial": "T-0005",
        }
        plan |= {"every_count": 1, "every_unit": "YEAR", "starts_on": "2090-01-01"}
        made = [
            driver.api.post("/service-calendars", headers=mona, json={"code": self.name, "name": "x", "weekly": WEEK}),
            driver.api.post("/sla-policies", headers=mona, json={"code": self.name, "name": "x", "terms": TERMS}),
            driver.api.post("/maintenance-plans", headers=mona, json=plan),
        ]
        assert all(answer.status_code == 201 for answer in made), made[-1].text
        self.plan: str = made[-1].json()["code"]
        count = driver.conn.execute(f"SELECT count(*) FROM technician_certificate WHERE {CERTIFICATE}".encode())
        self.is_certified = count.fetchone() == (1,)

    def propose(self, rng: Random) -> Command:
        who: Person = rng.choice(list(self.people.values()))
        if_match = pick_if_match(rng)
        certificate = "/technician-certificates/otto/PROBE-1"
        match rng.choice(("calendar", "policy", "certify", "revoke", "end")):
            case "calendar":
                body: dict[str, Any] = {"name": f"{rng.random()}", "weekly": rng.choice((WEEK, WEEK, SPOILT))}
                return Command(who, "calendar", "PUT", f"/service-calendars/{self.name}", body, if_match)
            case "policy":
                wrong = TERMS | {"P1": {"response_h": 9, "resolution_h": 1}}
                body = {"name": f"{rng.random()}", "terms": rng.choice((TERMS, TERMS, wrong))}
                return Command(who, "policy", "PUT", f"/sla-policies/{self.name}", body, if_match)
            case "certify":
                body = {"valid_until": "2099-01-01", "reference": f"{rng.random()}"}
                return Command(who, "certify", "PUT", certificate, body, if_match)
            case "revoke":
                return Command(who, "revoke", "DELETE", f"{certificate}?reason=left", {}, if_match)
            case _:
                body = {"to": "ENDED", "reason": pick_text(rng, "replaced")}
                return Command(who, "end", "POST", f"/maintenance-plans/{self.plan}/transitions", body, if_match)

    def watch(self, command: Command) -> Row:
        match command.kind:
            case "calendar":
                return Row("service_calendar", "code = %s", (self.name,), is_record=False)
            case "policy":
                return Row("sla_policy", "code = %s", (self.name,), is_record=False)
            case "end":
                return Row("maintenance_plan", "code = %s", (self.plan,))
            case _:
                return Row("technician_certificate", CERTIFICATE, (), is_record=False)

    def judge(self, command: Command) -> Verdict:
        verdict = Verdict()
        body = command.body
        verdict.unless(command.who.has(*MANAGE), "403")
        match command.kind:
            case "calendar":
                verdict.unless(body["weekly"] == WEEK, "422:weekly.monday")
            case "policy":
                verdict.unless(body["terms"] == TERMS, "422:terms.P1.resolution_h")
            case "revoke":
                verdict.unless(self.is_certified, "404")
            case "end":
                verdict.unless(self.state == "ACTIVE", "ended_already")
                verdict.unless(bool(body["reason"].strip()), "reason_missing")
        return verdict

    def apply(self, command: Command, answer: Mapping[str, Any]) -> None:
        match command.kind:
            case "certify" | "revoke":
                self.is_certified = command.kind == "certify"
            case "end":
                self.state = "ENDED"
