"""What a monitor is shown with beside its figures: versions of its profile, drafts, and how early it was."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from domain.model_record import ModelKind, ModelState
from store.models import ModelRow, load_models
from store.monitor_lead_times import MonitorLeadTime, load_lead_times
from store.pool import Connection
from store.profiles import ProfileRow, load_profile_rows


@dataclass(frozen=True, slots=True)
class MonitorRecords:
    """Of one model, or of all; lead times by (model, simulated, monitor)."""

    versions: Sequence[ProfileRow]
    drafts: Sequence[ModelRow]
    leads: Mapping[tuple[str, bool, str], MonitorLeadTime]


def load_monitor_records(conn: Connection, model: str) -> MonitorRecords:
    """Of the model, or of all where it is ""; lead times of a year, as they were counted last."""
    states = (ModelState.DRAFT.value, ModelState.SHADOW.value)
    leads = load_lead_times(conn, models=(model,) if model else ())
    return MonitorRecords(
        versions=load_profile_rows(conn),
        drafts=load_models(conn, model=model, kind=ModelKind.PROFILE.value, states=states, limit=200),
        leads={(row.model, row.is_simulated, row.monitor): row for row in leads},
    )
