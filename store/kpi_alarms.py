"""How good the alarms are, after ISA-18.2: floods, the origins that alarm most, and those that chatter."""

from datetime import timedelta
from typing import Any

from domain.kpi import KpiGroup, KpiQuery, KpiSource, KpiSums
from store.kpi_facts import (
    FILTERS,
    GROUPS,
    MOST_GROUPS,
    OWNERS,
    SourceSums,
    find_last,
    is_of_anybody,
    make_values,
)
from store.pool import Connection

# The standard's figures: more than ten alarms in ten minutes begin a flood, fewer than five end it; three alarms of one
# origin within a minute are chatter; the ten most frequent are the bad actors.
SLOT = timedelta(minutes=10)
FLOOD_BEGINS, FLOOD_ENDS = 10, 5
CHATTER = timedelta(minutes=1)
BAD_ACTORS = 10
# A flood may be under way when the period begins, and its last ten minutes are judged as whole ones.
LOOK_BACK = timedelta(days=1)

_ALARMS = f"""
    SELECT f.at, f.device_id, f.serial, f.monitor, {GROUPS}
    FROM {{alarms}} f {OWNERS} CROSS JOIN LATERAL (SELECT NULL::text AS firmware) fw
    WHERE f.at >= %(from)s AND f.at < %(to)s AND {FILTERS}
"""  # noqa: S608
_KEY = "is_simulated, customer, region, model, firmware"

# A flood lasts over slots that follow each other with five alarms or more, from the first with more than ten on.
LOAD_FLOODS = f"""
    WITH alarm AS ({_ALARMS}), slot AS (
        SELECT {_KEY}, date_bin(%(slot)s, at, 'epoch'::timestamptz) AS begin_at, count(*) AS n,
            count(*) FILTER (WHERE at >= %(since)s AND at < %(last)s) AS n_asked
        FROM alarm GROUP BY {_KEY}, begin_at
    ), run AS (
        SELECT {_KEY}, begin_at, n,
            begin_at - %(slot)s * row_number() OVER (PARTITION BY {_KEY} ORDER BY begin_at) AS run
        FROM slot WHERE n >= %(ends_below)s
    ), judged AS (
        SELECT {_KEY}, begin_at,
            bool_or(n > %(begins_above)s) OVER (PARTITION BY {_KEY}, run ORDER BY begin_at) AS is_flood
        FROM run
    ), flood AS (
        SELECT {_KEY}, p.bucket, least(j.begin_at + %(slot)s, %(last)s) - greatest(j.begin_at, %(since)s) AS lasts
        FROM judged j
        CROSS JOIN LATERAL (
            SELECT width_bucket(greatest(j.begin_at, %(since)s), %(cuts)s::timestamptz[]) AS bucket) p
        WHERE j.is_flood AND j.begin_at + %(slot)s > %(since)s AND j.begin_at < %(last)s
    )
    SELECT bucket, {_KEY}, sum(seconds), sum(n)::integer
    FROM (
        SELECT bucket, {_KEY}, date_part('epoch', lasts) AS seconds, 0 AS n FROM flood
        UNION ALL
        SELECT width_bucket(greatest(begin_at, %(since)s), %(cuts)s::timestamptz[]), {_KEY}, 0, n_asked FROM slot
        WHERE n_asked > 0
    ) part
    GROUP BY bucket, {_KEY} {MOST_GROUPS}
"""  # noqa: S608

# Three of one origin within a minute: the last of them comes at most a minute after the last but two.
LOAD_ORIGINS = f"""
    WITH alarm AS ({_ALARMS}), spaced AS (
        SELECT {_KEY}, width_bucket(at, %(cuts)s::timestamptz[]) AS bucket, serial, monitor,
            at - lag(at, 2) OVER (PARTITION BY device_id, monitor ORDER BY at) AS three_in
        FROM alarm
    ), origin AS (
        SELECT {_KEY}, bucket, serial, monitor, count(*) AS n,
            coalesce(bool_or(three_in <= %(chatter)s), false) AS chatters
        FROM spaced GROUP BY {_KEY}, bucket, serial, monitor
    ), ranked AS (
        SELECT *, row_number() OVER (PARTITION BY {_KEY}, bucket ORDER BY n DESC, serial, monitor) AS place FROM origin
    )
    SELECT bucket, {_KEY}, sum(n)::float8, (sum(n) FILTER (WHERE place <= %(bad_actors)s))::float8, count(*)::integer,
        (count(*) FILTER (WHERE chatters))::integer,
        jsonb_agg(jsonb_build_object('serial', serial, 'monitor', monitor, 'alarms', n) ORDER BY place)
            FILTER (WHERE place <= %(bad_actors)s)
    FROM ranked GROUP BY bucket, {_KEY} {MOST_GROUPS}
"""  # noqa: S608


def load_alarms(conn: Connection, sources: set[KpiSource], query: KpiQuery) -> SourceSums:
    """Floods, bad actors and chattering origins of the period, as far as they are asked for."""
    counted: SourceSums = {}
    if find_last(query) <= query.since:
        return counted
    values = make_values(query) | {"from": query.since, "to": find_last(query), "chatter": CHATTER}
    values |= {"slot": SLOT, "begins_above": FLOOD_BEGINS, "ends_below": FLOOD_ENDS, "bad_actors": BAD_ACTORS}
    around = {"from": query.since - LOOK_BACK, "to": find_last(query) + SLOT, "last": find_last(query)}
    alarms = "kpi_alarm_of_anybody" if is_of_anybody(query) else "kpi_alarm"
    if KpiSource.ALARM_FLOOD in sources:
        counted[KpiSource.ALARM_FLOOD] = _load_floods(conn, LOAD_FLOODS.format(alarms=alarms), values | around)
    if {KpiSource.ALARM_ORIGIN, KpiSource.ALARM_CHATTERING} & sources:
        counted |= _load_origins(conn, LOAD_ORIGINS.format(alarms=alarms), values)
    return counted


def _load_floods(conn: Connection, query: str, values: dict[str, Any]) -> dict[tuple[KpiGroup, int], KpiSums]:
    rows = conn.execute(query.encode(), values, prepare=False)
    return {(KpiGroup(*group), bucket - 1): KpiSums(seconds, 0, n) for bucket, *group, seconds, n in rows}


def _load_origins(conn: Connection, query: str, values: dict[str, Any]) -> SourceSums:
    origins: dict[tuple[KpiGroup, int], KpiSums] = {}
    chattering: dict[tuple[KpiGroup, int], KpiSums] = {}
    for bucket, *group, alarms, of_ten, count, chatters, actors in conn.execute(query.encode(), values, prepare=False):
        key = KpiGroup(*group), bucket - 1
        origins[key] = KpiSums(of_ten, alarms, round(alarms), detail=actors)
        chattering[key] = KpiSums(chatters, count, count)
    return {KpiSource.ALARM_ORIGIN: origins, KpiSource.ALARM_CHATTERING: chattering}
