"""How the whole installation is: what waits to be scored, what waits to be decided, whether data flow at all."""

from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from store.pool import Connection


@dataclass(frozen=True, slots=True)
class Flow:
    """Figures of this moment. Times are those of the database."""

    at: datetime
    flavour: str
    devices: int
    devices_online: int
    last_message_at: datetime | None  # receiver's time; brought up to date every few seconds
    last_observed_at: datetime | None  # device time of the newest reading
    blocks_waiting: int  # stored and not scored
    transitions_waiting: int  # found by scoring and not yet decided
    oldest_waiting_at: datetime | None
    outbox_waiting: int  # events that a webhook is to be told of and has not got
    outbox_oldest_at: datetime | None
    deliveries_dead: int  # given up, and not asked for again
    webhooks_gone: int  # disabled since the receiver answered that it is gone
    notices_waiting: int  # to devices, that the broker has not acknowledged
    rolled_up_to: datetime  # charts take what is newer from the readings themselves
    monitors_unscored: int  # nobody judges them, since their detector raised an error
    rollups_late: int  # marks of late readings that the roll-ups do not hold yet


LOAD_FLOW = """
    SELECT now() AS at, i.flavour, d.devices, d.devices_online, d.last_message_at,
        (SELECT max(last_observed_at) FROM series) AS last_observed_at,
        (SELECT coalesce(sum(head - consumed), 0)::bigint FROM shard) AS blocks_waiting,
        t.waiting AS transitions_waiting, t.oldest AS oldest_waiting_at,
        o.unplanned + w.waiting AS outbox_waiting, least(o.oldest, w.oldest) AS outbox_oldest_at,
        (SELECT count(*) FROM webhook_delivery WHERE state = 'DEAD') AS deliveries_dead,
        (SELECT count(*) FROM webhook_endpoint WHERE state = 'DISABLED' AND state_cause = 'GONE') AS webhooks_gone,
        (SELECT count(*) FROM device_notice WHERE published_revision <> revision) AS notices_waiting,
        (SELECT count(*) FROM unscored_monitor) AS monitors_unscored,
        r.minutes_to AS rolled_up_to, (SELECT count(*) FROM rollup_late) AS rollups_late
    FROM installation i
    CROSS JOIN rollup_state r
    CROSS JOIN (
        SELECT count(*) AS devices, count(*) FILTER (WHERE connectivity = 'ONLINE') AS devices_online,
            max(last_seen_at) AS last_message_at
        FROM device WHERE lifecycle <> 'DECOMMISSIONED'
    ) d
    CROSS JOIN (
        SELECT count(*) AS unplanned, min(created_at) AS oldest
        FROM outbox WHERE planned_at IS NULL AND NOT is_simulated
    ) o
    CROSS JOIN (
        SELECT count(*) AS waiting, min(created_at) AS oldest FROM webhook_delivery WHERE state = 'WAITING'
    ) w
    CROSS JOIN (
        SELECT count(*) AS waiting, min(recorded_at) AS oldest FROM breach_transition b
        WHERE id > (SELECT decided_to FROM triage_state)
            AND NOT EXISTS (
                -- Bounded as well: else the planner, who cannot know how few are left, reads all decisions.
                SELECT FROM ticket_decision
                WHERE transition_id = b.id AND transition_id > (SELECT decided_to FROM triage_state)
            )
    ) t
"""


def load_flow(conn: Connection) -> Flow:
    """What flows and what waits, in one snapshot."""
    with conn.cursor(row_factory=class_row(Flow)) as cursor:
        row = cursor.execute(LOAD_FLOW).fetchone()
    assert row is not None
    return row


@dataclass(frozen=True, slots=True)
class LedgerDay:
    """What ingestion counted on one day: values_received = stored + duplicates + conflicts + rejected."""

    messages: int
    values_received: int
    stored: int
    duplicates: int
    conflicts: int
    late: int
    rejected: int
    replayed: int  # rejected at first, and not among those rejected any more


LOAD_LEDGER_TODAY = """
    SELECT coalesce(sum(messages), 0)::bigint AS messages, coalesce(sum(values_received), 0)::bigint AS values_received,
        coalesce(sum(stored), 0)::bigint AS stored, coalesce(sum(duplicates), 0)::bigint AS duplicates,
        coalesce(sum(conflicts), 0)::bigint AS conflicts, coalesce(sum(late), 0)::bigint AS late,
        coalesce(sum(rejected), 0)::bigint AS rejected, coalesce(sum(replayed), 0)::bigint AS replayed
    FROM ingest_ledger WHERE day = (now() AT TIME ZONE 'UTC')::date
"""


def load_ledger_today(conn: Connection) -> LedgerDay:
    """Today's figures (UTC), all writers together."""
    with conn.cursor(row_factory=class_row(LedgerDay)) as cursor:
        row = cursor.execute(LOAD_LEDGER_TODAY).fetchone()
    assert row is not None
    return row
