"""What carries out each kind of change that takes two people: the one table that the API and the tests hand over."""

from domain.approval_request import ApprovalKind
from store.approval_requests import ApprovalHandler
from store.exports import IDENTIFIABLE_EXPORT
from store.key_fields import KEY_FIELD_CHANGE
from store.plan_skips import PLAN_SKIP
from store.retention_classes import RETENTION_CHANGE
from store.sla_waivers import SLA_WAIVER

HANDLERS: dict[ApprovalKind, ApprovalHandler] = {
    ApprovalKind.SLA_WAIVER: SLA_WAIVER,
    ApprovalKind.PLAN_SKIP: PLAN_SKIP,
    ApprovalKind.KEY_FIELD_CHANGE: KEY_FIELD_CHANGE,
    ApprovalKind.IDENTIFIABLE_EXPORT: IDENTIFIABLE_EXPORT,
    ApprovalKind.RETENTION_CHANGE: RETENTION_CHANGE,
}
