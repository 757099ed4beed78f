"""Which devices a scope finds now, and freezing them as the items of a draft."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.rows import class_row

from domain.audit import Actor
from domain.audit_field_action import field_action_scoped
from domain.field_action import FieldAction
from domain.field_action_scope import ScopePreview, ScopeQuery, Wave, assign_waves, find_scope_sha256
from domain.firmware_version import split_versions
from store.audit import record_audit, to_jsonb
from store.field_action_drafts import (
    REMOVE_ITEMS,
    verify_author,
    verify_draft,
)
from store.field_actions import load_field_action
from store.pool import Connection

SAMPLE = 50
LOAD_VERSIONS = """
    SELECT v.version, count(*)::integer FROM (
        SELECT CASE WHEN %(component)s = 'main' THEN d.firmware ELSE coalesce((
            SELECT s.version FROM firmware_step s WHERE s.device_id = d.id AND s.component = %(component)s
            ORDER BY s.observed_at DESC, s.id DESC LIMIT 1), '') END AS version
        FROM device d JOIN device_model m ON m.id = d.device_model_id
        WHERE m.key = %(model)s AND d.is_simulated = %(is_simulated)s AND d.lifecycle <> 'DECOMMISSIONED'
    ) v GROUP BY v.version ORDER BY v.version
"""
_OF_MODEL = """
    FROM device d JOIN device_model m ON m.id = d.device_model_id
    LEFT JOIN site s ON s.id = d.site_id LEFT JOIN customer c ON c.id = s.customer_id
    CROSS JOIN LATERAL (SELECT CASE WHEN %(component)s = 'main' THEN d.firmware ELSE coalesce((
        SELECT f.version FROM firmware_step f WHERE f.device_id = d.id AND f.component = %(component)s
        ORDER BY f.observed_at DESC, f.id DESC LIMIT 1), '') END AS version) v
    WHERE m.key = %(model)s AND d.is_simulated = %(is_simulated)s
"""
# `versions` NULL: any.
_MATCHES = f"""
    {_OF_MODEL}
        AND (%(lots)s::text[] = '{{}}' OR d.lot = ANY (%(lots)s))
        AND (%(serials)s::text[] = '{{}}' OR d.serial = ANY (%(serials)s))
        AND (%(customers)s::text[] = '{{}}' OR c.code = ANY (%(customers)s))
        AND (%(regions)s::text[] = '{{}}' OR d.region = ANY (%(regions)s))
        AND (%(versions)s::text[] IS NULL OR v.version = ANY (%(versions)s))
"""
LOAD_MATCHES = f"SELECT d.id, d.serial {_MATCHES} AND d.lifecycle <> 'DECOMMISSIONED' ORDER BY d.serial"
LOAD_COUNTS = f"""
    SELECT what, key, count(*)::integer FROM (
        SELECT d.lifecycle = 'DECOMMISSIONED' AS is_gone, d.region, coalesce(c.code, '') AS customer, d.lot, v.version
        {_MATCHES}
    ) q CROSS JOIN LATERAL (
        SELECT 'decommissioned', '' WHERE is_gone
        UNION ALL SELECT 'devices', '' WHERE NOT is_gone
        UNION ALL SELECT 'region', region WHERE NOT is_gone
        UNION ALL SELECT 'customer', customer WHERE NOT is_gone
        UNION ALL SELECT 'lot', lot WHERE NOT is_gone
        UNION ALL SELECT 'firmware', version WHERE NOT is_gone
    ) AS u (what, key)
    GROUP BY what, key ORDER BY what, count(*) DESC, key
"""  # noqa: S608
LOAD_UNKNOWN_SERIALS = """
    SELECT w.serial FROM unnest(%(serials)s::text[]) AS w (serial)
    WHERE NOT EXISTS (
        SELECT FROM device d JOIN device_model m ON m.id = d.device_model_id
        WHERE d.serial = w.serial AND m.key = %(model)s AND d.is_simulated = %(is_simulated)s)
    ORDER BY w.serial
"""
# A device keeps one notice: it is in one campaign at a time, whatever the component.
COUNT_OVERLAPPING = """
    SELECT count(DISTINCT i.device_id) FROM field_action_item i JOIN field_action a ON a.id = i.field_action_id
    WHERE i.device_id = ANY (%(devices)s::bigint[]) AND a.code <> %(code)s AND a.kind = 'FIRMWARE'
        AND a.state IN ('APPROVED', 'NOTIFYING', 'EXECUTING')
"""


def _find_values(conn: Connection, query: ScopeQuery, component: str) -> tuple[dict[str, Any], dict[str, int]]:
    """The parameters of a query, and the devices of the model by versions that cannot be placed in its range."""
    values: dict[str, Any] = {
        "model": query.model,
        "is_simulated": query.is_simulated,
        "component": component,
        "lots": list(query.lots),
        "serials": list(query.serials),
        "customers": list(query.customers),
        "regions": list(query.regions),
        "versions": None,
    }
    if query.firmware.is_open:
        return values, {}
    running = {str(version): int(count) for version, count in conn.execute(LOAD_VERSIONS, values)}
    inside, unknown = split_versions(query.firmware, running)
    taken = [*inside, *unknown] if query.with_unknown_firmware else inside
    return values | {"versions": taken}, {version: running[version] for version in unknown}


def load_scope_preview(
    conn: Connection, query: ScopeQuery, *, component: str = "main", code: str = "", is_campaign: bool = False
) -> ScopePreview:
    """What the query finds now, counted; nothing is written."""
    values, unknown = _find_values(conn, query, component)
    counts: dict[str, dict[str, int]] = {}
    for what, key, count in conn.execute(LOAD_COUNTS, values):
        counts.setdefault(what, {})[key] = count
    found = conn.execute(LOAD_MATCHES, values).fetchall()
    overlapping = count_overlapping(conn, [row[0] for row in found], code) if is_campaign else 0
    return ScopePreview(
        devices=len(found),
        by_region=counts.get("region", {}),
        by_customer=counts.get("customer", {}),
        by_lot=counts.get("lot", {}),
        by_firmware=counts.get("firmware", {}),
        unknown_firmware=unknown,
        decommissioned=counts.get("decommissioned", {}).get("", 0),
        overlapping=overlapping,
        unknown_serials=load_unknown_serials(conn, query),
        sample=[row[1] for row in found[:SAMPLE]],
    )


@dataclass(frozen=True, slots=True)
class ScopeLeftOut:
    """How many devices of the model, those that are gone not counted, are left out by each part of a scope; one that
    fails in several is in each of them."""

    lot: int
    serial: int
    customer: int
    region: int
    firmware: int


COUNT_LEFT_OUT = f"""
    SELECT count(*) FILTER (WHERE %(lots)s::text[] <> '{{}}' AND d.lot <> ALL (%(lots)s)) AS lot,
        count(*) FILTER (WHERE %(serials)s::text[] <> '{{}}' AND d.serial <> ALL (%(serials)s)) AS serial,
        count(*) FILTER (WHERE %(customers)s::text[] <> '{{}}'
            AND coalesce(c.code, '') <> ALL (%(customers)s)) AS customer,
        count(*) FILTER (WHERE %(regions)s::text[] <> '{{}}' AND d.region <> ALL (%(regions)s)) AS region,
        count(*) FILTER (WHERE %(versions)s::text[] IS NOT NULL AND v.version <> ALL (%(versions)s)) AS firmware
    {_OF_MODEL} AND d.lifecycle <> 'DECOMMISSIONED'
"""


def count_left_out(conn: Connection, query: ScopeQuery, *, component: str = "main") -> ScopeLeftOut:
    """Why devices of the model are not in the scope."""
    values, _ = _find_values(conn, query, component)
    with conn.cursor(row_factory=class_row(ScopeLeftOut)) as cursor:
        found = cursor.execute(COUNT_LEFT_OUT, values).fetchone()
    assert found is not None
    return found


def load_unknown_serials(conn: Connection, query: ScopeQuery) -> list[str]:
    """The named serials of which there is no such device of the model."""
    values = {"serials": list(query.serials), "model": query.model, "is_simulated": query.is_simulated}
    return [str(row[0]) for row in conn.execute(LOAD_UNKNOWN_SERIALS, values)]


def count_overlapping(conn: Connection, device_ids: Sequence[int], code: str) -> int:
    """How many of the devices another campaign has that is approved and not over."""
    values = {"devices": list(device_ids), "code": code}
    row = conn.execute(COUNT_OVERLAPPING, values).fetchone()
    return 0 if row is None else int(row[0])


INSERT_ITEMS = """
    INSERT INTO field_action_item (field_action_id, device_id, wave, state_since)
    SELECT %(id)s, t.device_id, t.wave, %(now)s
    FROM unnest(%(devices)s::bigint[], %(placed)s::integer[]) AS t (device_id, wave)
"""
LOAD_FROZEN = """
    SELECT d.serial FROM field_action_item i JOIN device d ON d.id = i.device_id WHERE i.field_action_id = %s
"""
FREEZE_SCOPE = """
    UPDATE field_action SET scope = %(scope)s, scope_sha256 = %(sha256)s, scope_frozen_at = %(now)s,
        item_count = %(count)s, author_ids = %(author_ids)s::bigint[], content_version = content_version + 1,
        row_version = row_version + 1, updated_at = %(now)s
    WHERE id = %(id)s
"""


def freeze_scope(
    conn: Connection, actor: Actor, before: FieldAction, query: ScopeQuery, *, now: datetime
) -> FieldAction:
    """The draft with the devices that the query finds now as its items, each in its wave; they change no more by
    themselves, and their hash is part of what is signed. The caller holds the draft's lock.

    Raises
    ------
    GuardRefusedError
        It is no draft, or no person freezes it.
    """
    verify_draft(before)
    verify_author(actor)
    values, _ = _find_values(conn, query, before.component or "main")
    found = {str(serial): int(device_id) for device_id, serial in conn.execute(LOAD_MATCHES, values)}
    placed = assign_waves(found.keys(), [Wave.from_json(wave) for wave in before.waves], before.code)
    known = {str(row[0]) for row in conn.execute(LOAD_FROZEN, (before.id,))}
    conn.execute(REMOVE_ITEMS, (before.id,))
    serials = sorted(placed)
    conn.execute(
        INSERT_ITEMS,
        {
            "id": before.id,
            "devices": [found[s] for s in serials],
            "placed": [placed[s] for s in serials],
            "now": now,
        },
    )
    authors = sorted({*before.author_ids, *([] if actor.user_id is None else [actor.user_id])})
    conn.execute(
        FREEZE_SCOPE,
        {
            "id": before.id,
            "scope": to_jsonb(query.to_json()),
            "sha256": find_scope_sha256(placed),
            "count": len(placed),
            "author_ids": authors,
            "now": now,
        },
    )
    after = load_field_action(conn, before.code)
    assert after is not None
    record_audit(conn, actor, field_action_scoped(before, after, len(found.keys() - known), len(known - found.keys())))
    return after


@dataclass(frozen=True, slots=True)
class ScopeDrift:
    """How the devices that the query finds today differ from those that are frozen."""

    added: int  # it finds them now, and they are not in the action
    removed: int  # they are in the action, and it does not find them any more
    sample: list[str]  # serials that were added


def load_scope_drift(conn: Connection, action: FieldAction) -> ScopeDrift:
    """What has changed in the field since the scope was frozen: a device that came later is nobody's item."""
    query = ScopeQuery.from_json(action.scope)
    values, _ = _find_values(conn, query, action.component or "main")
    found = {str(row[1]) for row in conn.execute(LOAD_MATCHES, values)}
    frozen = {str(row[0]) for row in conn.execute(LOAD_FROZEN, (action.id,))}
    added = sorted(found - frozen)
    return ScopeDrift(len(added), len(frozen - found), added[:SAMPLE])
