"""What key figures are counted from: facts of a period, standings at its end, and how long devices were in operation.

Every query is planned with its values (`prepare=False`): what is not grouped or filtered by is then not even joined.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from domain.kpi import MOST_FIGURES, KpiDimension, KpiGroup, KpiQuery, KpiSource, KpiSums
from store.pool import Connection

SourceSums = dict[KpiSource, dict[tuple[KpiGroup, int], KpiSums]]

# Of `f` (what is counted), `c` (its customer), `m` (its model) and `fw` (what firmware its device had).
GROUPS = """
    f.is_simulated, CASE WHEN %(by_customer)s THEN coalesce(c.code, '') END AS customer,
    CASE WHEN %(by_region)s THEN f.region END AS region, CASE WHEN %(by_model)s THEN coalesce(m.key, '') END AS model,
    CASE WHEN %(by_firmware)s THEN coalesce(f.firmware, fw.firmware, '') END AS firmware
"""
OWNERS = "LEFT JOIN customer c ON c.id = f.customer_id LEFT JOIN device_model m ON m.id = f.device_model_id"
FIRMWARE = """
    LEFT JOIN kpi_firmware_spell fw ON %(with_firmware)s AND f.firmware IS NULL AND fw.device_id = f.device_id
        AND fw.since <= f.began_at AND fw.until > f.began_at
"""
FILTERS = """
    (%(customer_id)s::bigint IS NULL OR f.customer_id = %(customer_id)s)
    AND (%(simulated)s::boolean IS NULL OR f.is_simulated = %(simulated)s)
    AND (%(customers)s::text[] IS NULL OR c.code = ANY (%(customers)s))
    AND (%(regions)s::text[] IS NULL OR f.region = ANY (%(regions)s))
    AND (%(models)s::text[] IS NULL OR m.key = ANY (%(models)s))
    AND (%(firmwares)s::text[] IS NULL OR coalesce(f.firmware, fw.firmware, '') = ANY (%(firmwares)s))
"""
_SUMS = """
    coalesce(sum(f.numerator) FILTER (WHERE f.known_at <= %(now)s), 0),
    coalesce(sum(f.denominator) FILTER (WHERE f.known_at <= %(now)s), 0),
    (count(*) FILTER (WHERE f.known_at <= %(now)s))::integer, (count(*) FILTER (WHERE f.known_at > %(now)s))::integer
"""
_SPREAD = """
    percentile_cont(ARRAY[0.5, 0.9]) WITHIN GROUP (ORDER BY f.numerator)
        FILTER (WHERE f.known_at <= %(now)s AND f.denominator > 0)
"""
# Of more groups than this there are more figures than are given out: the caller finds that out and refuses.
MOST_GROUPS = f"LIMIT {MOST_FIGURES + 1}"
# Facts of the period; width_bucket gives 1 to the first bucket.
_FACTS = """
    SELECT f.kpi, width_bucket(f.at, %(cuts)s::timestamptz[]) AS bucket, {groups}, {sums}, {spread}
    FROM {view} f {owners} {firmware}
    WHERE f.at >= %(since)s AND f.at < %(until)s AND f.kpi = ANY (%(kpis)s) AND {filters}
    GROUP BY 1, 2, 3, 4, 5, 6, 7 {most}
"""
# What stands at the end of each bucket that has begun; firmware is that of then.
_STANDINGS = """
    SELECT f.kpi, f.bucket, {groups}, {sums}, {spread}
    FROM (
        SELECT x.*, b.bucket, b.at AS began_at, '-infinity'::timestamptz AS known_at
        FROM unnest(%(ends)s::timestamptz[]) WITH ORDINALITY AS b (at, bucket) CROSS JOIN LATERAL {view}(b.at) x
    ) f {owners} {firmware}
    WHERE {filters}
    GROUP BY 1, 2, 3, 4, 5, 6, 7 {most}
"""


def _write(template: str, view: str, *, is_spread: bool) -> str:
    spread = _SPREAD if is_spread else "NULL::float8[]"
    return template.format(
        view=view,
        groups=GROUPS,
        owners=OWNERS,
        firmware=FIRMWARE,
        filters=FILTERS,
        sums=_SUMS,
        spread=spread,
        most=MOST_GROUPS,
    )


_S = KpiSource
# Sources that one query counts together.
LOAD_FACTS: tuple[tuple[frozenset[KpiSource], str], ...] = (
    (frozenset({_S.RESPONSE_TIME}), _write(_FACTS, "kpi_response_time", is_spread=True)),
    (frozenset({_S.TIME_TO_RESTORE}), _write(_FACTS, "kpi_time_to_restore", is_spread=True)),
    (frozenset({_S.FAILURE}), _write(_FACTS, "kpi_failure", is_spread=False)),
    (frozenset({_S.FIRST_TIME_FIX}), _write(_FACTS, "kpi_first_time_fix", is_spread=False)),
    (
        frozenset({_S.PLANNED_MAINTENANCE, _S.FIRST_MAINTENANCE}),
        _write(_FACTS, "kpi_planned_maintenance", is_spread=False),
    ),
    (frozenset({_S.RECALL_RESPONSE, _S.RECALL_RESPONSE_TIME}), _write(_FACTS, "kpi_recall", is_spread=True)),
    (frozenset({_S.PART_TRACE_COVERAGE}), _write(_FACTS, "kpi_part_trace", is_spread=False)),
    (frozenset({_S.TICKET}), _write(_FACTS, "kpi_ticket", is_spread=False)),
    (frozenset({_S.ALARM_CONFIRMED}), _write(_FACTS, "kpi_ticket_outcome", is_spread=False)),
    (frozenset({_S.WARNING}), _write(_FACTS, "kpi_warning", is_spread=True)),
    (frozenset({_S.CAPA_EFFECTIVENESS}), _write(_FACTS, "kpi_capa_effectiveness", is_spread=False)),
    (frozenset({_S.FIRMWARE_COVERAGE}), _write(_STANDINGS, "kpi_firmware_coverage", is_spread=False)),
    (frozenset({_S.TRACE_COVERAGE}), _write(_STANDINGS, "kpi_trace_coverage", is_spread=False)),
    (frozenset({_S.ALARM_STALE}), _write(_STANDINGS, "kpi_alarm_stale", is_spread=False)),
    (frozenset({_S.CAPA_AGE}), _write(_STANDINGS, "kpi_capa_age", is_spread=True)),
)


# The same where nobody asks whose it was: then that is not looked up.
_OF_ANYBODY = {
    frozenset({_S.ALARM_STALE}): _write(_STANDINGS, "kpi_alarm_stale_of_anybody", is_spread=False),
}


def is_of_anybody(query: KpiQuery) -> bool:
    """Whether customers neither limit nor group what is asked for."""
    return query.customer_id is None and not query.customers and KpiDimension.CUSTOMER not in query.group_by


def load_facts(conn: Connection, sources: Iterable[KpiSource], query: KpiQuery) -> SourceSums:
    """What was counted of these sources, by group and bucket; groups of which there is nothing are not there."""
    wanted = set(sources)
    counted: SourceSums = {}
    for together, text in LOAD_FACTS:
        asked = together & wanted
        if not asked:
            continue
        if is_of_anybody(query):
            text = _OF_ANYBODY.get(together, text)
        values = make_values(query) | {"kpis": [source.value for source in asked]}
        for kpi, bucket, *group, numerator, denominator, records, left_out, spread in conn.execute(
            text.encode(), values, prepare=False
        ):
            median, p90 = spread or (None, None)
            sums = KpiSums(numerator, denominator, records, left_out, median, p90)
            counted.setdefault(KpiSource(kpi), {})[KpiGroup(*group), int(bucket) - 1] = sums
    return counted


CLOCKS = {
    KpiSource.SLA_MET: "is_met",
    KpiSource.SLA_RESPONSE_MET: "is_response_met",
    KpiSource.SLA_RESOLUTION_MET: "is_resolution_met",
}
_VERDICTS = ", ".join(
    f"count(*) FILTER (WHERE f.{verdict}), count(f.{verdict}), count(*) - count(f.{verdict})"
    for verdict in CLOCKS.values()
)
LOAD_CLOCKS = f"""
    SELECT width_bucket(f.at, %(cuts)s::timestamptz[]) AS bucket, {GROUPS}, {_VERDICTS}
    FROM kpi_sla f {OWNERS} {FIRMWARE}
    WHERE f.at >= %(since)s AND f.at < %(until)s AND {FILTERS}
    GROUP BY 1, 2, 3, 4, 5, 6 {MOST_GROUPS}
"""  # noqa: S608


def load_clocks(conn: Connection, sources: Iterable[KpiSource], query: KpiQuery) -> SourceSums:
    """Closed orders by what became of their SLA clocks; three counts of each verdict: met, decided, left out."""
    counted: SourceSums = {}
    wanted = [(place, source) for place, source in enumerate(CLOCKS) if source in set(sources)]
    if not wanted:
        return counted
    for bucket, *rest in conn.execute(LOAD_CLOCKS.encode(), make_values(query), prepare=False):
        group, counts = rest[:5], rest[5:]
        for place, source in wanted:
            met, decided, left_out = counts[3 * place : 3 * place + 3]
            counted.setdefault(source, {})[KpiGroup(*group), bucket - 1] = KpiSums(met, decided, decided, left_out)
    return counted


LOAD_OPERATION = f"""
    SELECT f.bucket, {GROUPS}, sum(f.service_s - f.down_s), sum(f.service_s), count(DISTINCT f.device_id)::integer
    FROM kpi_operation(%(clipped)s::timestamptz[], %(with_firmware)s) f {OWNERS}
    CROSS JOIN LATERAL (SELECT NULL::text AS firmware) fw
    WHERE {FILTERS}
    GROUP BY 1, 2, 3, 4, 5, 6 {MOST_GROUPS}
"""  # noqa: S608


def load_operation(conn: Connection, query: KpiQuery) -> dict[tuple[KpiGroup, int], KpiSums]:
    """Seconds in operation (numerator) and in the field (denominator) up to now, and of how many devices."""
    counted: dict[tuple[KpiGroup, int], KpiSums] = {}
    for bucket, *group, operating, service, devices in conn.execute(
        LOAD_OPERATION.encode(), make_values(query), prepare=False
    ):
        counted[KpiGroup(*group), bucket - 1] = KpiSums(operating, service, devices)
    return counted


def make_values(query: KpiQuery) -> dict[str, Any]:
    """The parameters that every query of key figures takes."""
    cuts = [*(bucket.since for bucket in query.buckets), query.until]
    values: dict[str, Any] = {
        "cuts": cuts,
        "clipped": [min(cut, query.now) for cut in cuts],
        "ends": [min(bucket.until, query.now) for bucket in query.buckets if bucket.since < query.now],
        "since": query.since,
        "until": query.until,
        "now": query.now,
        "customer_id": query.customer_id,
        "simulated": query.is_simulated,
        "with_firmware": KpiDimension.FIRMWARE in query.group_by or bool(query.firmwares),
    }
    values |= {f"by_{dimension}": dimension in query.group_by for dimension in KpiDimension}
    return values | _make_filters(query)


def _make_filters(query: KpiQuery) -> dict[str, Any]:
    given = {
        "customers": query.customers,
        "regions": query.regions,
        "models": query.models,
        "firmwares": query.firmwares,
    }
    return {name: list(texts) or None for name, texts in given.items()}


def find_last(query: KpiQuery) -> datetime:
    """The end of what can have happened yet."""
    return min(query.until, query.now)
