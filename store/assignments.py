"""What decides to whom an order is suggested: technicians, their certificates, regions and load, what they mended."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import islice

from domain.assignment import (
    Candidate,
    Suggestion,
    Work,
    find_freedom,
    find_place,
    find_score,
    find_success,
    find_suggestions,
)
from store.mended_orders import load_mended
from store.pool import Connection

_NEVER = date.min
_NOT_MET = find_success(0, 0)

LOAD_CANDIDATES = """
    SELECT u.id, u.name, u.full_name, coalesce(c.models, '{}'), coalesce(c.valid_until, '{}'),
        coalesce(r.regions, '{}'), coalesce(o.open_orders, 0), coalesce(o.urgent_orders, 0)
    FROM app_user u
    LEFT JOIN (
        SELECT t.user_id, array_agg(m.key) AS models, array_agg(t.valid_until) AS valid_until
        FROM technician_certificate t JOIN device_model m ON m.id = t.device_model_id
        WHERE m.key = ANY (%(models)s) GROUP BY t.user_id
    ) c ON c.user_id = u.id
    LEFT JOIN (
        SELECT user_id, array_agg(region ORDER BY region) AS regions FROM technician_region GROUP BY user_id
    ) r ON r.user_id = u.id
    LEFT JOIN (
        SELECT w.assignee_id, count(*)::integer AS open_orders,
            count(*) FILTER (WHERE w.priority IN ('P1', 'P2'))::integer AS urgent_orders
        FROM work_order w WHERE w.state IN ('ASSIGNED', 'IN_PROGRESS', 'ON_HOLD') GROUP BY w.assignee_id
    ) o ON o.assignee_id = u.id
    WHERE u.status = 'ACTIVE' AND 'technician' = ANY (u.roles) ORDER BY u.name
"""


@dataclass(frozen=True, slots=True)
class TechnicianFacts:
    """One active technician, whatever the order."""

    user_id: int
    name: str
    full_name: str
    certificates: dict[str, date]  # until when, by model, of the models that the book is of
    regions: tuple[str, ...]
    open_orders: int
    urgent_orders: int
    freedom: float


@dataclass(frozen=True, slots=True)
class AssignmentBook:
    """The facts for suggestions of one day, for the models and fault groups that it was loaded for."""

    day: date
    technicians: tuple[TechnicianFacts, ...]
    past: Mapping[tuple[int, str, str], tuple[int, int]]  # user, model, fault group: fixed, tried
    _met: dict[tuple[str, str], dict[int, float]]  # who has met a fault of a model, and how well
    _by_id: dict[int, TechnicianFacts]
    _ranked: dict[str, list[TechnicianFacts]] = field(default_factory=dict)

    def find(self, work: Work) -> list[Suggestion]:
        """Who may do that work, the best fit first."""
        return find_suggestions(work, [self._find_candidate(t, work) for t in self.technicians], self.day)

    def find_best(self, work: Work) -> Suggestion | None:
        """The first of `find`, without looking at everybody: a page asks for many. None where nobody may do it."""
        met = self._find_met(work)
        rivals = [self._by_id[user_id] for user_id in met if user_id in self._by_id]
        # Of those who have not met the fault only the first can be the best.
        strangers = (t for t in self._rank(work.region) if t.user_id not in met and self._is_able(t, work))
        able = [t for t in rivals if self._is_able(t, work)] + list(islice(strangers, 1))
        if not able:
            return None
        best = min(able, key=lambda t: self._find_place_in_list(t, work, met))
        return find_suggestions(work, [self._find_candidate(best, work)], self.day)[0]

    def find_able(self, work: Work) -> list[TechnicianFacts]:
        """The same people in the same order as `find`, without the reasons."""
        met = self._find_met(work)
        able = [t for t in self.technicians if self._is_able(t, work)]
        return sorted(able, key=lambda t: self._find_place_in_list(t, work, met))

    def _find_met(self, work: Work) -> dict[int, float]:
        return self._met.get((work.model or "", work.fault_group), {})

    def _is_able(self, technician: TechnicianFacts, work: Work) -> bool:
        return work.model is None or technician.certificates.get(work.model, _NEVER) >= self.day

    def _find_place_in_list(self, t: TechnicianFacts, work: Work, met: dict[int, float]) -> tuple[float, str]:
        success = met.get(t.user_id, _NOT_MET)
        return -find_score(find_place(work.region, t.regions), success, t.freedom), t.name

    def _rank(self, region: str) -> list[TechnicianFacts]:
        """Everybody as ranked for work there that nobody has met, made once."""
        if region not in self._ranked:
            anything = Work(None, region, "")
            self._ranked[region] = sorted(self.technicians, key=lambda t: self._find_place_in_list(t, anything, {}))
        return self._ranked[region]

    def _find_candidate(self, technician: TechnicianFacts, work: Work) -> Candidate:
        until = technician.certificates.get(work.model or "")
        fixed, tried = self.past.get((technician.user_id, work.model or "", work.fault_group), (0, 0))
        return Candidate(
            user_id=technician.user_id,
            name=technician.name,
            full_name=technician.full_name,
            certified_until=until,
            regions=technician.regions,
            open_orders=technician.open_orders,
            urgent_orders=technician.urgent_orders,
            fixed=fixed,
            tried=tried,
        )


def load_assignment_book(conn: Connection, works: Collection[Work], now: datetime) -> AssignmentBook:
    """The facts for these works, by a few queries however many there are. `now` in UTC is the day of the certificates,
    as for the guard that asks for them."""
    keys = sorted({(w.model, w.fault_group) for w in works if w.model is not None})
    with conn.cursor() as cursor:
        found = cursor.execute(LOAD_CANDIDATES, {"models": sorted({model for model, _ in keys})})
        technicians = tuple(_to_technician(*row) for row in found)
    return make_book(now.date(), technicians, load_mended(conn, keys, now) if technicians else {})


def make_book(
    day: date, technicians: Sequence[TechnicianFacts], past: Mapping[tuple[int, str, str], tuple[int, int]]
) -> AssignmentBook:
    """The book of these facts."""
    met: dict[tuple[str, str], dict[int, float]] = defaultdict(dict)
    for (user_id, model, fault_group), figures in past.items():
        met[model, fault_group][user_id] = find_success(*figures)
    return AssignmentBook(day, tuple(technicians), past, dict(met), {t.user_id: t for t in technicians})


def _to_technician(
    user_id: int,
    name: str,
    full_name: str,
    models: Sequence[str],
    valid_until: Sequence[date],
    regions: Sequence[str],
    open_orders: int,
    urgent_orders: int,
) -> TechnicianFacts:
    certificates = dict(zip(models, valid_until, strict=True))
    freedom = find_freedom(open_orders, urgent_orders)
    return TechnicianFacts(user_id, name, full_name, certificates, tuple(regions), open_orders, urgent_orders, freedom)
