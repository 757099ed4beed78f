"""What decides to whom an order is suggested: technicians, their certificates, regions and load, what they mended."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import islice
from typing import Any

from psycopg.rows import dict_row

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
from store.pool import Connection

LOOK_BACK = timedelta(days=3 * 365)
MOST_ORDERS = 200  # of one fault group, the newest
_NEVER = date.min

LOAD_CANDIDATES = """
    SELECT u.id AS user_id, u.name, u.full_name, coalesce(c.certificates, '{}') AS certificates,
        coalesce(r.regions, '{}') AS regions, coalesce(o.open_orders, 0) AS open_orders,
        coalesce(o.urgent_orders, 0) AS urgent_orders
    FROM app_user u
    LEFT JOIN (
        SELECT t.user_id, jsonb_object_agg(m.key, t.valid_until) AS certificates
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
# The newest of each fault group, so that a page with many of them stays quick. Put right is: closed with a fault that
# was mended, never reopened, and no later order says that it recurred.
# Each step is done once for all of them: else devices and recurrences are looked through for every fault group anew.
LOAD_PAST = """
    WITH asked AS MATERIALIZED (
        SELECT m.id, k.model, k.fault_group
        FROM unnest(%(models)s::text[], %(fault_groups)s::text[]) AS k (model, fault_group)
        JOIN device_model m ON m.key = k.model
    ), recent AS MATERIALIZED (
        SELECT o.* FROM (SELECT DISTINCT fault_group FROM asked) AS k
        CROSS JOIN LATERAL (
            SELECT o.id, o.device_id, o.fault_group, o.reopen_count, (o.close_out ->> 'done_by_id')::bigint AS user_id
            FROM work_order o
            WHERE o.state = 'CLOSED' AND o.fault_group = k.fault_group AND o.closed_at > %(since)s
                AND o.outcome IN ('CONFIRMED', 'SENSOR_FAULT')
            ORDER BY o.fault_group, o.closed_at DESC LIMIT %(most)s
        ) o
    ), came_back AS MATERIALIZED (
        SELECT DISTINCT r.recurrence_of AS id FROM work_order r
        WHERE r.recurrence_of = ANY (ARRAY(SELECT id FROM recent)) AND r.recurrence_of IS NOT NULL
            AND r.outcome IS DISTINCT FROM 'FALSE_ALARM'
    )
    SELECT w.user_id, k.model, w.fault_group,
        (count(*) FILTER (WHERE w.reopen_count = 0 AND b.id IS NULL))::integer AS fixed, count(*)::integer AS tried
    FROM recent w JOIN device d ON d.id = w.device_id
    JOIN asked k ON k.id = d.device_model_id AND k.fault_group = w.fault_group
    LEFT JOIN came_back b ON b.id = w.id
    WHERE w.user_id IS NOT NULL
    GROUP BY 1, 2, 3
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
    _ranked: dict[tuple[str, str | None], dict[int, TechnicianFacts]] = field(default_factory=dict)

    def find(self, work: Work) -> list[Suggestion]:
        """Who may do that work, the best fit first."""
        return find_suggestions(work, [self._find_candidate(t, work) for t in self.technicians], self.day)

    def find_best(self, work: Work) -> Suggestion | None:
        """The first of `find`, without looking at everybody: a page asks for many. None where nobody may do it."""
        met = self._met.get((work.model or "", work.fault_group), {})
        able, nothing = self._rank(work.region, work.model), find_success(0, 0)
        rivals = [able[user_id] for user_id in met if user_id in able]
        # Of those who have not met the fault only the first can be the best.
        rivals += islice((t for user_id, t in able.items() if user_id not in met), 1)
        if not rivals:
            return None
        best = min(
            rivals,
            key=lambda t: (
                -find_score(find_place(work.region, t.regions), met.get(t.user_id, nothing), t.freedom),
                t.name,
            ),
        )
        return find_suggestions(work, [self._find_candidate(best, work)], self.day)[0]

    def _rank(self, region: str, model: str | None) -> dict[int, TechnicianFacts]:
        """Who may work on that model (None: everybody) as ranked for work there that nobody has met, made once."""
        if (region, model) not in self._ranked:
            if model is None:
                nothing = find_success(0, 0)
                scores = {
                    t.user_id: find_score(find_place(region, t.regions), nothing, t.freedom) for t in self.technicians
                }
                able = sorted(self.technicians, key=lambda t: (-scores[t.user_id], t.name))
            else:
                all_ranked = self._rank(region, None).values()
                able = [t for t in all_ranked if t.certificates.get(model, _NEVER) >= self.day]
            self._ranked[region, model] = {t.user_id: t for t in able}
        return self._ranked[region, model]

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
    """The facts for these works, by two queries however many there are. `now` in UTC is the day of the certificates,
    as for the guard that asks for them."""
    keys = sorted({(w.model, w.fault_group) for w in works if w.model is not None})
    values = {
        "models": [model for model, _ in keys],
        "fault_groups": [fault_group for _, fault_group in keys],
        "since": now - LOOK_BACK,
        "most": MOST_ORDERS,
    }
    with conn.cursor(row_factory=dict_row) as cursor:
        technicians = tuple(_to_technician(row) for row in cursor.execute(LOAD_CANDIDATES, values))
    past = {}
    if technicians and keys:
        # Planned each time: which tables are read through depends on how much is asked for.
        for user_id, model, fault_group, fixed, tried in conn.execute(LOAD_PAST, values, prepare=False):
            past[user_id, model, fault_group] = fixed, tried
    return make_book(now.date(), technicians, past)


def make_book(
    day: date, technicians: Sequence[TechnicianFacts], past: Mapping[tuple[int, str, str], tuple[int, int]]
) -> AssignmentBook:
    """The book of these facts."""
    met: dict[tuple[str, str], dict[int, float]] = defaultdict(dict)
    for (user_id, model, fault_group), figures in past.items():
        met[model, fault_group][user_id] = find_success(*figures)
    return AssignmentBook(day, tuple(technicians), past, dict(met))


def _to_technician(row: Mapping[str, Any]) -> TechnicianFacts:
    certificates = {model: date.fromisoformat(until) for model, until in row["certificates"].items()}
    freedom = find_freedom(row["open_orders"], row["urgent_orders"])
    changed = {"certificates": certificates, "regions": tuple(row["regions"]), "freedom": freedom}
    return TechnicianFacts(**{**row, **changed})
