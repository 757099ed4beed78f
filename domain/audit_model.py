"""The audit's sentences about models and their trainings."""

from collections.abc import Mapping
from typing import Any

from domain.audit import AuditEntry
from domain.model_record import ModelStep

ENTITY = "model"
_ACTIONS = {
    ModelStep.SHADOW: "model.shadowed",
    ModelStep.ACTIVATE: "model.activated",
    ModelStep.ROLL_BACK: "model.rolled_back",
    ModelStep.RETIRE: "model.retired",
}


def model_job_asked(kind: str, job_id: int, window: Mapping[str, Any]) -> AuditEntry:
    """A training or a backtest was asked for."""
    return AuditEntry(f"model.{kind}_asked", "model_job", str(job_id), None, window)


def model_job_cancelled(kind: str, job_id: int, reason: str) -> AuditEntry:
    """A training or a backtest was called off."""
    return AuditEntry(f"model.{kind}_cancelled", "model_job", str(job_id), None, {"state": "CANCELLED"}, reason)


def model_registered(code: str, *, kind: str, model: str, firmware: str, sha256: str) -> AuditEntry:
    """A model was put into the registry as a draft."""
    after = {"kind": kind, "model": model, "firmware": firmware, "sha256": sha256}
    return AuditEntry("model.registered", ENTITY, code, None, after)


def activation_asked(code: str, by: str, reason: str) -> AuditEntry:
    """The first of two people asks for a model to become live."""
    return AuditEntry("model.activation_asked", ENTITY, code, None, {"asked_by": by}, reason)


def model_moved(
    code: str, step: ModelStep, before: str, after: str, *, asked_by: str | None, replaced: str | None, reason: str
) -> AuditEntry:
    """A person put a model into shadow, made it live, rolled it back or retired it."""
    becomes = {"state": after, "asked_by": asked_by, "replaced": replaced}
    return AuditEntry(_ACTIONS[step], ENTITY, code, {"state": before}, becomes, reason)


def model_replaced(code: str, replaced_by: str, reason: str) -> AuditEntry:
    """A live model gave way to another one."""
    return AuditEntry(
        "model.retired", ENTITY, code, {"state": "LIVE"}, {"state": "RETIRED", "replaced_by": replaced_by}, reason
    )


def model_live_again(code: str, instead_of: str, reason: str) -> AuditEntry:
    """A model is live again, as the one that replaced it was rolled back."""
    return AuditEntry(
        "model.activated", ENTITY, code, {"state": "RETIRED"}, {"state": "LIVE", "instead_of": instead_of}, reason
    )
