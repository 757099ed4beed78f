"""What the signature that closes a work order stands for."""

from collections.abc import Mapping
from typing import Any

from domain.work_order import WorkOrder

# The record of the work. Clocks, references of other systems and times of change go on after it and are not signed.
_SIGNED = (
    "code",
    "version",
    "type",
    "source",
    "priority",
    "state",
    "device_id",
    "gateway_id",
    "site_id",
    "customer_id",
    "fault_group",
    "title_code",
    "description",
    "assignee_id",
    "outcome",
    "failure_code",
    "close_out",
    "resolved_at",
)


def find_order_content(order: WorkOrder, records: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of the order that are signed, the same for the order as it is closed and as it is read later.

    `records` are the visits, parts, files and answers of the order, by kind, those that it has.
    """
    return {name: getattr(order, name) for name in _SIGNED} | dict(records)
