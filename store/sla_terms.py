"""By which terms the clocks of an order begin: its contract's policy, its site's calendar and time zone."""

from collections.abc import Collection
from dataclasses import dataclass, field

from domain.profile import TicketPolicy
from domain.service_calendar import AROUND_THE_CLOCK, ServiceCalendar
from domain.sla import OrderTerms, find_order_terms
from domain.sla_policy import SlaPolicy, find_profile_policy, policy_from_json
from domain.tickets import Priority
from domain.work_order import WorkOrder
from domain.working_time import find_schedule
from store.pool import Connection
from store.service_calendar_bodies import load_calendar_bodies
from store.ticket_policies import load_ticket_policy

LOAD_SITES = """
    SELECT s.id, s.time_zone, v.id, v.sha256 FROM site s
    LEFT JOIN service_calendar c ON c.id = s.service_calendar_id
    LEFT JOIN service_calendar_version v ON v.service_calendar_id = c.id AND v.version = c.current_version
    WHERE s.id = ANY (%s)
"""
LOAD_CONTRACTS = """
    SELECT k.id, pv.id, pv.body, v.id, v.sha256 FROM service_contract k
    JOIN sla_policy p ON p.id = k.sla_policy_id
    JOIN sla_policy_version pv ON pv.sla_policy_id = p.id AND pv.version = p.current_version
    LEFT JOIN service_calendar c ON c.id = pv.service_calendar_id
    LEFT JOIN service_calendar_version v ON v.service_calendar_id = c.id AND v.version = c.current_version
    WHERE k.id = ANY (%s)
"""


@dataclass(frozen=True, slots=True)
class _Site:
    time_zone: str = "UTC"
    calendar_version_id: int | None = None


@dataclass(frozen=True, slots=True)
class _Contract:
    policy: SlaPolicy | None = None
    policy_version_id: int | None = None
    calendar_version_id: int | None = None


@dataclass(slots=True)
class SlaBook:
    """The terms of sites and contracts, each read once: for the length of one transaction."""

    _sites: dict[int, _Site] = field(default_factory=dict)
    _contracts: dict[int, _Contract] = field(default_factory=dict)
    _calendars: dict[int, ServiceCalendar] = field(default_factory=dict)
    _terms: dict[tuple[int | None, int | None, Priority, TicketPolicy], OrderTerms] = field(default_factory=dict)

    def read(self, conn: Connection, site_ids: Collection[int], contract_ids: Collection[int]) -> None:
        """Reads what is not known yet of these sites and contracts, with one query each."""
        calendars: set[tuple[int, str]] = set()
        sites = [i for i in site_ids if i not in self._sites]
        if sites:
            self._sites |= dict.fromkeys(sites, _Site())
            for site_id, zone, version_id, sha256 in conn.execute(LOAD_SITES, (sites,)):
                self._sites[site_id] = _Site(zone, version_id)
                calendars |= {(version_id, sha256)} if version_id is not None else set()
        contracts = [i for i in contract_ids if i not in self._contracts]
        if contracts:
            self._contracts |= dict.fromkeys(contracts, _Contract())
            for contract_id, policy_version_id, body, version_id, sha256 in conn.execute(LOAD_CONTRACTS, (contracts,)):
                self._contracts[contract_id] = _Contract(policy_from_json(body), policy_version_id, version_id)
                calendars |= {(version_id, sha256)} if version_id is not None else set()
        if calendars:
            self._calendars |= load_calendar_bodies(conn, calendars)

    def find_terms(
        self, conn: Connection, site_id: int | None, contract_id: int | None, priority: Priority, tickets: TicketPolicy
    ) -> OrderTerms:
        """The terms of both clocks of an order of that site and contract that begin now.

        Times: the contract's policy, else `tickets` (the profile). Hours: the site's calendar, else the policy's, else
        around the clock.
        """
        key = (site_id, contract_id, priority, tickets)
        known = self._terms.get(key)
        if known is None:
            self.read(conn, [] if site_id is None else [site_id], [] if contract_id is None else [contract_id])
            known = self._terms[key] = self._find(site_id, contract_id, priority, tickets)
        return known

    def _find(
        self, site_id: int | None, contract_id: int | None, priority: Priority, tickets: TicketPolicy
    ) -> OrderTerms:
        site = _Site() if site_id is None else self._sites[site_id]
        contract = _Contract() if contract_id is None else self._contracts[contract_id]
        version_id = site.calendar_version_id or contract.calendar_version_id
        calendar = AROUND_THE_CLOCK if version_id is None else self._calendars[version_id]
        return find_order_terms(
            contract.policy or find_profile_policy(tickets),
            priority,
            find_schedule(calendar, site.time_zone),
            policy_version_id=contract.policy_version_id,
            calendar_version_id=version_id,
        )


LOAD_MODEL = "SELECT device_model_id FROM device WHERE id = %s"


def load_order_terms(
    conn: Connection, *, device_id: int | None, site_id: int | None, contract_id: int | None, priority: Priority
) -> OrderTerms:
    """The terms by which clocks of such an order begin now."""
    row = None if device_id is None else conn.execute(LOAD_MODEL, (device_id,)).fetchone()
    tickets = load_ticket_policy(conn, None if row is None else row[0])
    return SlaBook().find_terms(conn, site_id, contract_id, priority, tickets)


def load_terms_of(conn: Connection, order: WorkOrder) -> OrderTerms:
    """The terms by which clocks of the order, at its priority, begin now."""
    return load_order_terms(
        conn,
        device_id=order.device_id,
        site_id=order.site_id,
        contract_id=order.contract_id,
        priority=order.priority,
    )
