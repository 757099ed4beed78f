"""What waits for its signatures: a draft of a field action, one of a firmware version, and a model asked to be live."""

from datetime import datetime, timedelta

import psycopg

from domain.audit import find_content_sha256
from domain.field_action import FieldActionKind
from domain.field_action_scope import Wave
from domain.model_record import ModelKind, ModelStep, describe_profile
from domain.monitor_quality import move_threshold
from domain.profile_json import profile_to_json
from domain.roles import Permission
from store.field_action_drafts import FieldActionDraft, record_draft
from store.firmware_records import register_firmware
from store.model_jobs import MODEL_JOBS, open_job
from store.model_steps import StepRequest, record_step
from store.models import NewModel, record_model
from store.profiles import load_profile
from store.shadows import ShadowCount, record_shadow_counts
from tests.e2e.quality_seeding import PEOPLE, Desk
from tests.e2e.seeding import SERIALS
from tests.support.monitors import find_comparison, find_watched

MODEL = "INF-200"


def seed_drafts(url: str, now: datetime) -> dict[str, str]:
    """The addresses of the three; the people of `seed_quality` are there."""
    with psycopg.connect(url) as conn:
        found = conn.execute("SELECT name, id FROM app_user WHERE name = ANY (%s)", ([one[0] for one in PEOPLE],))
        desk = Desk(conn, dict(found.fetchall()), {name: full_name for name, full_name, _ in PEOPLE})
        return {
            "field-action-draft": make_draft(desk, now),
            "firmware-draft": make_firmware_draft(desk, now),
            "model": make_model(desk, now),
        }


def make_draft(desk: Desk, now: datetime) -> str:
    """A recall whose scope nobody has frozen; the first wave names two pumps."""
    waves = (Wave(1.0, SERIALS[:2], 48.0, 1.0), Wave(0.25, (), 24.0, 0.9), Wave())
    draft = FieldActionDraft(
        FieldActionKind.RECALL, "Drive screws of the second supplier", MODEL, "Thread wears early",
        "Take the pump out of use and send it back", priority="P2", needs_visit=True, waves=waves, region="EU",
    )  # fmt: skip
    made = record_draft(
        desk.conn, desk.act("quinn", Permission.FIELD_ACTION_WRITE), draft, now=now - timedelta(hours=3)
    )
    return f"/field-actions/{made.code}"


def make_firmware_draft(desk: Desk, now: datetime) -> str:
    """A version that nobody has approved."""
    by, at = desk.act("rosa", Permission.FIRMWARE_WRITE), now - timedelta(hours=5)
    notes = "Says which valve is stuck"
    register_firmware(
        desk.conn, by, model=MODEL, component="main", version="2.7.0", sha256="a7" * 32, notes=notes, now=at
    )
    return f"/firmware/{MODEL}/main/2.7.0"


def make_model(desk: Desk, now: datetime) -> str:
    """A profile with another threshold: backtested, in shadow for a week, asked to be live by one of two people."""
    conn, by = desk.conn, desk.act("rosa", Permission.PROFILE_WRITE)
    current = load_profile(conn, MODEL)
    assert current is not None
    watched = find_watched(current)
    assert watched.raise_at is not None
    clear_at = watched.raise_at if watched.clear_at is None else watched.clear_at
    proposed = move_threshold(current, watched.key, round(watched.raise_at * 1.1, 1), round(clear_at * 1.1, 1))
    description = describe_profile(profile_to_json(proposed), current.version)
    provenance = {"monitor": watched.key}
    new = NewModel(ModelKind.PROFILE, MODEL, "", description, b"", find_content_sha256(description), provenance)
    row = record_model(conn, by, new, now - timedelta(days=8))
    record_step(conn, by, row.code, StepRequest(ModelStep.SHADOW), now - timedelta(days=7))
    job = open_job(conn, "backtest", {"model": MODEL}, "rosa", row.id)
    conn.execute("UPDATE model_job SET state = 'RUNNING', started_at = requested_at WHERE id = %s", (job,))
    orders = ("WO-2026-000001", "WO-2026-000002")
    MODEL_JOBS.finish(conn, job, result=find_comparison(orders, SERIALS[:2], now))
    days = [(now - timedelta(days=back)).date() for back in range(7)]
    counts = [ShadowCount(day, watched.key, side, n, 0, n) for day in days for side, n in (("live", 3), ("shadow", 1))]
    record_shadow_counts(conn, row.id, counts)
    asked = StepRequest(ModelStep.ACTIVATE, "a third of the tickets", desk.sign("rosa", "I ask for it"))
    record_step(conn, by, row.code, asked, now - timedelta(hours=2))
    return f"/models/{row.code}"
