"""The state of an edge node as a row of the store, and back."""

from collections.abc import Mapping
from typing import Any

import orjson

from ingest.sparkplug.edge import Declared, EdgeState, Scope, build_scope
from store.sparkplug import StoredEdge


def to_row(state: EdgeState, written: EdgeState | None) -> StoredEdge:
    """The row of this state; without what was declared where that is as it was `written`."""
    has_same_births = written is not None and written.node is state.node and written.devices is state.devices
    return StoredEdge(
        group_id=state.group,
        edge_id=state.edge,
        epoch=state.epoch,
        is_alive=state.is_alive,
        bd_seq=state.bd_seq,
        former_bd_seq=state.former_bd_seq,
        seq=state.seq,
        births_due=state.births_due,
        asked_us=state.asked_us,
        asks=state.asks,
        recent=b"".join(state.recent),
        births=None if has_same_births else _encode_births(state),
    )


def to_state(row: StoredEdge) -> EdgeState:
    """The state that `to_row` made this row of."""
    assert row.births is not None
    node, devices = _decode_births(row.births)
    return EdgeState(
        group=row.group_id,
        edge=row.edge_id,
        epoch=row.epoch,
        bd_seq=row.bd_seq,
        former_bd_seq=row.former_bd_seq,
        seq=row.seq,
        births_due=row.births_due,
        asked_us=row.asked_us,
        asks=row.asks,
        recent=tuple(row.recent[at : at + 8] for at in range(0, len(row.recent), 8)),
        node=node,
        devices=devices,
    )


def _encode_births(state: EdgeState) -> bytes:
    return orjson.dumps(
        {
            "node": None if state.node is None else _to_document(state.node),
            "devices": {device: _to_document(scope) for device, scope in state.devices.items()},
        }
    )


def _decode_births(stored: bytes) -> tuple[Scope | None, dict[str, Scope]]:
    document = orjson.loads(stored)
    node = None if document["node"] is None else _to_scope(document["node"])
    return node, {device: _to_scope(scope) for device, scope in document["devices"].items()}


def _to_document(scope: Scope) -> dict[str, object]:
    return {
        "epoch": scope.epoch,
        "birth_ms": scope.birth_ms,
        "born_us": scope.born_us,
        "metrics": [list(metric) for metric in scope.declared],
    }


def _to_scope(document: Mapping[str, Any]) -> Scope:
    declared = (Declared(*metric) for metric in document["metrics"])
    return build_scope(declared, document["epoch"], document["birth_ms"], document["born_us"])
