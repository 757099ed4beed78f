"""The audit's sentences about changes that take two people."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from domain.approval_request import ApprovalRequest, ApprovalState
from domain.audit import AuditEntry

ENTITY = "approval_request"
_ACTIONS = {
    ApprovalState.GRANTED: "approval_request.granted",
    ApprovalState.REFUSED: "approval_request.refused",
    ApprovalState.WITHDRAWN: "approval_request.withdrawn",
}


def approval_asked(request: ApprovalRequest) -> AuditEntry:
    """Somebody asked for a change that another person must grant."""
    after = {
        "state": request.state,
        "kind": request.kind,
        "entity": request.entity,
        "entity_id": request.entity_id,
        "payload": request.payload,
        "content_sha256": request.content_sha256,
        "expires_at": request.expires_at,
    }
    return AuditEntry("approval_request.asked", ENTITY, request.code, None, after, request.reason)


def approval_decided(
    request: ApprovalRequest, to: ApprovalState, reason: str, outcome: Mapping[str, Any] | None
) -> AuditEntry:
    """The asked change was granted and carried out, refused by another person, or withdrawn by who asked."""
    after = {"state": to, "kind": request.kind, "content_sha256": request.content_sha256, "asked_by": request.asked_by}
    return AuditEntry(
        _ACTIONS[to], ENTITY, request.code, {"state": request.state}, after | {"outcome": outcome}, reason
    )


def approval_expired(code: str, kind: str, asked_by: str, expires_at: datetime) -> AuditEntry:
    """Nobody decided as long as the question stood."""
    after = {"state": ApprovalState.EXPIRED, "kind": kind, "asked_by": asked_by, "expires_at": expires_at}
    return AuditEntry("approval_request.expired", ENTITY, code, {"state": ApprovalState.ASKED}, after)
