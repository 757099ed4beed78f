"""A body that fits for each address of the API that takes one: what generated requests begin with."""

from datetime import UTC, datetime, timedelta
from typing import Any

from tests.support.api_world import CAUSE, COMPLAINT, CUSTOMER, EXPORT, MODEL, PLAN, SIGNED, TEMPLATE, ApiWorld

SERIAL, SITE = COMPLAINT["serial"], "S-RUIJIN-ICU"
WEEKLY = {"monday": ["08:00-17:00"], "friday": ["08:00-12:00", "13:00-15:00"]}
TERMS = {f"P{n}": {"response_h": n, "resolution_h": 8 * n} for n in range(1, 5)}
CLOSE_OUT = {
    "device_name": "Pump",
    "device_identification": SERIAL,
    "serviced_on": "2026-11-22",
    "serviced_by": "Tom Okafor",
    "work_performed": "Replaced the drive",
    "test_data": "0.9 A at 10 mL/h",
}
ACTION = {"kind": "CORRECTION", "text": "Replace the motors", "owner": "everyone", "due_on": "2099-01-31"}
FIELD_ACTION = {"kind": "RECALL", "title": "Leak", "model": MODEL, "waves": [{"share": 0.5}, {}]}
EFFECT = {"metric": "WORK_ORDER_RATE", "limit_kind": "RATIO", "limit": 0.5, "period_days": 60}
ANSWERS = [{"item": "leak", "value": True}, {"item": "flow", "value": 10.1}]
SHA256 = "cd" * 32
OWN_PASSWORD, REASON = {"password": SIGNED["password"]}, {"reason": "as asked"}
RETENTION = {"kind": "retention_change", "entity_id": "records", "payload": {"days": 0}, "reason": "as agreed"}


def find_bodies(world: ApiWorld) -> dict[str, list[dict[str, Any] | str]]:
    """By method and path of the document; the records that they name are those of the world."""
    orders = world.values["work-orders"]
    later = (datetime.now(UTC) + timedelta(days=20)).isoformat()
    earlier = (datetime.now(UTC) - timedelta(hours=2)).isoformat()
    return {
        "POST /account/views": [{"page": "work-orders", "name": "Night shift", "query": "priority=P1"}],
        "PATCH /account/views/{view_id}": [{"name": "Day shift", "is_default": True}],
        "POST /account/second-factor": [OWN_PASSWORD],
        "POST /account/second-factor/recovery-codes": [OWN_PASSWORD],
        "POST /account/second-factor/removal": [OWN_PASSWORD],
        "POST /devices": [{"serial": "NEW-1", "model": MODEL, "customer": CUSTOMER, "site": SITE, "lot": "L9"}],
        "POST /devices/{serial}/shelvings": [{"reason": "ward is rebuilt", "until": later}],
        "POST /devices/{serial}/transitions": [
            {"to": to, "reason": "as agreed"} for to in ("UNDER_MAINTENANCE", "IN_SERVICE", "QUARANTINED")
        ],
        "POST /devices/{serial}/claim-code": [{"hours": 24}],
        "POST /devices/{serial}/credentials": [{"method": "password"}, {"method": "certificate"}],
        "POST /device-models/{model}/versions/{version}/proposals": [{"reason": "it was better"}],
        "POST /lab/runs": [
            {"model": MODEL, "fault": "occlusion", "devices": 2, "days": 4, "span_h": 0.5},
            {"model": MODEL, "fault": "stuck_sensor", "sensor": "flow", "seeds": 2, "rate": 1.0},
        ],
        "POST /firmware": [{"model": MODEL, "version": "9.2.0", "sha256": SHA256, "size_bytes": 1_000_000}],
        "PUT /firmware/{model}/{version}": [{"sha256": SHA256, "notes": "mends the valve"}],
        "POST /firmware/{model}/{version}/transitions": [{"to": "APPROVED", **SIGNED}],
        "POST /work-orders": [
            {"serial": SERIAL, "fault_group": "battery", "description": "It beeps.", "priority": "P2"}
        ],
        "POST /work-orders/{code}/transitions": [
            {"to": "TRIAGED", "reason": "as seen"},
            {"to": "ASSIGNED", "assignee": "everyone"},
            {"to": "IN_PROGRESS", "reason": "begun"},
            {"to": "ON_HOLD", "hold_reason": "PARTS"},
            {"to": "WORK_DONE", "close_out": CLOSE_OUT, "outcome": "CONFIRMED", "failure_code": "DRIVE"},
            {"to": "VERIFIED", "test_evidence": "Ran for an hour."},
            {"to": "CLOSED", **SIGNED},
            {"to": "CANCELLED", "reason": "made by mistake"},
        ],
        "POST /work-orders/transitions": [{"codes": orders[:2], "to": "TRIAGED", "reason": "as seen"}],
        "POST /work-orders/{code}/merges": [{"order": orders[-1], "reason": "the same fault"}],
        "POST /work-orders/{code}/notes": [{"body": "Ask the ward."}],
        "POST /work-orders/{code}/visits": [{"note": "key at the gate"}],
        "POST /work-orders/{code}/visits/{visit_id}/departure": [{"outcome": "COMPLETED"}],
        "POST /work-orders/{code}/parts": [{"item": "MOT-1", "quantity": "2", "description": "Motor"}],
        "POST /work-orders/{code}/parts/{part_id}/outcome": [{"to": "USED", "quantity": "1", "lot": "L", **SIGNED}],
        "POST /work-orders/{code}/checklists/{checklist_id}/answers": [{"answers": ANSWERS}],
        "POST /checklist-templates": [{**TEMPLATE, "code": "repair-2"}],
        "PUT /checklist-templates/{code}": [{"title": TEMPLATE["title"], "items": TEMPLATE["items"], "reason": "new"}],
        "PUT /technicians/{name}/regions": [{"regions": ["EU", "US"]}],
        "PUT /technician-certificates/{user}/{model}": [{"valid_until": "2098-01-01", "reason": "renewed"}],
        "POST /service-calendars": [{"code": "office-2", "name": "Office", "weekly": WEEKLY, "country": "DE"}],
        "PUT /service-calendars/{code}": [
            {"name": "Office", "weekly": WEEKLY, "own_days": [{"day": "2026-12-24", "name": "Eve"}], "reason": "closed"}
        ],
        "POST /service-calendars/preview": [{"name": "Office", "weekly": WEEKLY, "country": "DE", "subdivision": "BY"}],
        "POST /service-calendars/{code}/preview": [{"name": "Office", "weekly": WEEKLY, "country": "CN"}],
        "PUT /sites/{code}/service-calendar": [{"service_calendar": "office", "reason": "as agreed"}],
        "POST /sla-policies": [{"code": "gold-2", "name": "Gold", "terms": TERMS, "service_calendar": "office"}],
        "PUT /sla-policies/{code}": [{"name": "Gold", "terms": TERMS, "due_soon_share": 0.8, "reason": "as agreed"}],
        "POST /sla-policies/{code}/preview": [{"name": "Gold", "terms": TERMS, "service_calendar": "office"}],
        "PUT /contracts/{code}/sla-policy": [{"sla_policy": "gold", "reason": "as agreed"}],
        "POST /contracts/{code}/transitions": [
            {"to": "ACTIVE", "reason": "signed"},
            {"to": "TERMINATED", "reason": "as agreed"},
        ],
        "PUT /capas/{code}/root-cause": [{"problem": "Motors wear out", "causes": [CAUSE]}],
        "POST /capas": [{"model": MODEL, "fault_group": "battery", "reason": "three complaints"}],
        "POST /capas/{code}/actions": [ACTION],
        "PUT /capas/{code}/actions/{number}": [ACTION],
        "POST /capas/{code}/actions/{number}/transitions": [{"to": "DONE", "evidence": "done", "reason": "done"}],
        "PUT /capas/{code}/effectiveness": [EFFECT],
        "POST /capas/{code}/transitions": [
            {"to": to, "reason": "as seen", **SIGNED} for to in ("ACTION_PLAN", "IMPLEMENTATION", "INVESTIGATION")
        ],
        "POST /complaints": [COMPLAINT],
        "PATCH /complaints/{code}": [{"reason": "she called again", "reply": "We come tomorrow."}],
        "POST /complaints/{code}/transitions": [
            {"to": "INVESTIGATION", "reason": "found again"},
            {"to": "RESOLVED", "reason": "known", "investigation": "The grease was dry."},
            {"to": "CLOSED", "reason": "known", **SIGNED},
        ],
        "POST /complaints/{code}/assessment": [
            {"aware_at": earlier, "harm": "NONE", "jurisdictions": ["EU", "US"], "reason": "as reported"}
        ],
        "POST /complaints/{code}/assessment/decision": [
            {"decision": "REPORTABLE", "reportable_in": ["EU"], "justification": "as read", **SIGNED}
        ],
        "POST /complaints/{code}/assessment/submissions": [
            {"jurisdiction": "EU", "submitted_at": earlier, "reference": "R-1"}
        ],
        "POST /maintenance-plans": [PLAN, {**PLAN, "serial": SERIAL, "name": "One alone", "order_type": "CALIBRATION"}],
        "POST /maintenance-plans/{code}/transitions": [{"to": "ENDED", "reason": "another one"}],
        "POST /field-actions": [FIELD_ACTION],
        "PUT /field-actions/{code}": [FIELD_ACTION],
        "PUT /field-actions/{code}/scope": [{"serials": [SERIAL]}, {"lots": ["L2401"], "firmware": {"before": "3.0"}}],
        "POST /field-actions/scope-preview": [{"model": MODEL, "serials": [SERIAL, "X"], "regions": ["EU"]}],
        "POST /field-actions/{code}/transitions": [{"to": "EXECUTING", "reason": "all were told"}],
        "POST /field-actions/{code}/waves": [{}],
        "POST /field-actions/{code}/halt": [{"reason": "wrong letter"}],
        "POST /field-actions/{code}/resumption": [{"reason": "mended", **SIGNED}],
        "POST /field-actions/{code}/items/{serial}/transitions": [
            {"to": "NOTIFIED", "reason": "by letter"},
            {"to": "SCRAPPED", "reason": "burnt"},
            {"to": "SCHEDULED", "scheduled_for": later},
        ],
        "POST /field-actions/{code}/communications": [
            {
                "channel": "LETTER",
                "result": "SENT",
                "customer": CUSTOMER,
                "contact": "Nora Nurse",
                "text": "Please stop.",
            }
        ],
        "POST /models": [{"model": MODEL}],
        "POST /models/{code}/backtest": [{"settle_days": 1}],
        "POST /models/{code}/transitions": [{"step": "shadow", "reason": "see", **SIGNED}],
        "POST /monitors/{model}/{monitor}/backtest": [{"changes": {"raise_at": 0.7}, "settle_days": 1}],
        "POST /monitors/{model}/{monitor}/proposals": [{"changes": {"raise_at": 0.7}}],
        "POST /threshold-proposals/{code}/transitions": [{"to": "REJECTED", "reason": "too high", **SIGNED}],
        "POST /rejections/replay": [{"reason": "unknown_serial", "why": "registered now"}],
        "POST /rejections/{rejection_id}/replay": [{"why": "registered now"}],
        "POST /approval-requests": [{**EXPORT, **SIGNED}, {**RETENTION, **SIGNED}],
        "POST /approval-requests/{code}/transitions": [{"to": "WITHDRAWN", "reason": "not needed", **SIGNED}],
        "POST /exports": [{"list": "devices", "columns": ["serial"], "filter": {"model": MODEL}}],
        "POST /users": [{"name": "newcomer", "full_name": "New Comer", "roles": ["auditor"], "language": "zh"}],
        "PATCH /users/{name}": [
            {"reason": "as asked", "full_name": "Another Name", "roles": ["auditor", "technician"]}
        ],
        "POST /users/{name}/password-reset": [{"reason": "forgotten"}],
        "POST /users/{name}/sessions/end": [REASON],
        "POST /users/{name}/second-factor/removal": [REASON],
        "POST /users/{name}/identity/removal": [REASON],
        "POST /webhooks": [{"name": "ERP", "url": "https://erp.example.com/", "customer": CUSTOMER, "delay_s": 30}],
        "PUT /webhooks/{code}": [
            {"name": "Desk", "url": "https://desk.example.com/", "event_types": ["sla.breached"], "reason": "moved"}
        ],
        "POST /webhooks/{code}/transitions": [{"to": "DISABLED", "reason": "moves"}, {"to": "ENABLED"}],
        "POST /webhooks/{code}/secret": [{"overlap_h": 1}],
        "POST /webhooks/{code}/replays": [{"since": earlier, "scope": "all"}],
        "POST /tokens": [{"name": "erp", "role": "integrator", "expires_at": later}],
        "POST /customers/import": [f"code,name,type\n{CUSTOMER},Riverbank,CLINIC\nC-NEW,New Clinic,\n"],
        "POST /sites/import": [f"code,customer,name\n{SITE},{CUSTOMER},ICU 4\n"],
        "POST /contracts/import": [f"code,customer,starts_on,ends_on\nK-2,{CUSTOMER},2026-01-01,2098-12-31\n"],
        "POST /devices/import": [f"serial,model,site\nNEW-2,{MODEL},{SITE}\nNEW-3,none,{SITE}\n"],
        "PUT /customers/by-ref/{system}/{record_id}": [{"code": CUSTOMER, "name": "Riverbank", "type": "CLINIC"}],
        "PUT /sites/by-ref/{system}/{record_id}": [{"code": SITE, "customer": CUSTOMER, "name": "ICU 4"}],
        "PUT /contracts/by-ref/{system}/{record_id}": [
            {"code": "K-1", "customer": CUSTOMER, "starts_on": "2020-01-01", "ends_on": "2098-01-01"}
        ],
        "PUT /devices/by-ref/{system}/{record_id}": [{"serial": SERIAL, "model": MODEL, "site": SITE}],
        "PUT /device-models/by-ref/{system}/{record_id}": [{"model": MODEL}],
    }
