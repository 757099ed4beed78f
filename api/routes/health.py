"""Health: for people, for orchestrators and for Prometheus."""

from dataclasses import asdict, dataclass
from importlib.metadata import version
from ipaddress import ip_address
from threading import Lock
from time import monotonic
from typing import Annotated

from fastapi import Depends, Request
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from starlette.responses import Response

from api.auth import Caller, identify, missing_permission, read_csrf_token
from api.metrics import CONTENT_TYPE
from api.problems import UNAUTHENTICATED, UNAVAILABLE, ProblemError, declare
from api.routes.data_quality import find_in_flight
from api.shapes.health import Alive, DataQualityHealth, FlowHealth, Health, LedgerHealth, ProgramHealth
from api.state import Database, State
from api.versioned_router import make_router
from domain.data_quality import AlertKind
from domain.errors import DatabaseNotMigratedError
from domain.roles import Permission
from store.data_quality_queries import count_alerts
from store.heartbeats import Heartbeat, find_standstills, load_heartbeats
from store.installation_health import Flow, LedgerDay, load_flow, load_ledger_today
from store.ledger_queries import LedgerTotals, load_ledger_totals
from store.migrate import verify_migrated
from store.pool import DATABASE_GONE, Pool
from store.rejection_groups import count_reasons
from store.rejection_replays import count_waiting

router = make_router(tag="health")
PROGRAMS = ("ingest", "anomaly", "service-link", "api")
SILENT_AFTER_S = 15.0
KEPT_S = 1.0


@dataclass(frozen=True, slots=True)
class Figures:
    """All that health and metrics say, of one moment."""

    flow: Flow
    today: LedgerDay
    ever: LedgerTotals
    heartbeats: list[Heartbeat]
    alerts: dict[str, int]
    reasons: dict[str, int]
    replays_waiting: int


class _Kept:
    """The figures of the last second: however often strangers ask, the database is asked once."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._at = -KEPT_S
        self._pool: Pool | None = None
        self._value: Figures | None = None

    def load(self, pool: Pool) -> Figures:
        with self._lock:
            if self._value is None or self._pool is not pool or monotonic() - self._at > KEPT_S:
                with pool.connection() as conn:
                    flow = load_flow(conn)
                    self._value = Figures(
                        flow=flow,
                        today=load_ledger_today(conn),
                        ever=load_ledger_totals(conn),
                        heartbeats=load_heartbeats(conn),
                        alerts=count_alerts(conn, flow.at.date()),
                        reasons=count_reasons(conn),
                        replays_waiting=count_waiting(conn),
                    )
                self._at, self._pool = monotonic(), pool
            return self._value


_kept = _Kept()


def identify_stranger(request: Request, csrf: Annotated[str | None, Depends(read_csrf_token)]) -> Caller | None:
    """Who calls where nobody needs to say so."""
    return identify(request, Permission.HEALTH_READ, csrf)


@router.get("/health", summary="How this installation is", responses=declare(403))
def read_health(pool: Database, caller: Annotated[Caller | None, Depends(identify_stranger)]) -> Health:
    """Store flavour, every program's sign of life, what waits to be scored and decided, and whether data flow.

    Anybody may ask; instances, details and the ledger are for callers with `health.read`.
    """
    figures = _kept.load(pool)
    flow = figures.flow
    is_insider = caller is not None and caller.may(Permission.HEALTH_READ)
    programs = find_program_health(figures.heartbeats, is_insider=is_insider)
    standstills = len(find_standstills(figures.heartbeats))
    is_whole = all(p.status == "alive" for p in programs) and flow.monitors_unscored == 0 and standstills == 0
    return Health(
        status="ok" if is_whole else "degraded",
        version=version("forewarn"),
        at=flow.at,
        store=flow.flavour,
        programs=programs,
        flow=FlowHealth(
            devices=flow.devices,
            devices_online=flow.devices_online,
            last_message_at=flow.last_message_at,
            last_message_age_s=_age(flow, "last_message_at"),
            last_observed_at=flow.last_observed_at,
            blocks_waiting=flow.blocks_waiting,
            transitions_waiting=flow.transitions_waiting,
            oldest_waiting_age_s=_age(flow, "oldest_waiting_at"),
            outbox_waiting=flow.outbox_waiting,
            outbox_oldest_age_s=_age(flow, "outbox_oldest_at"),
            deliveries_dead=flow.deliveries_dead,
            webhooks_gone=flow.webhooks_gone,
            notices_waiting=flow.notices_waiting,
            monitors_unscored=flow.monitors_unscored,
            standstills=standstills,
            rollup_lag_s=(flow.at - flow.rolled_up_to).total_seconds(),
            rollups_late=flow.rollups_late,
        ),
        ledger=_describe_ledger(figures) if is_insider else None,
        data_quality=DataQualityHealth(
            alerts=figures.alerts,
            rejected_by_reason=figures.reasons,
            replays_waiting=figures.replays_waiting,
        )
        if is_insider
        else None,
    )


def _describe_ledger(figures: Figures) -> LedgerHealth:
    waiting = sum(writer.messages for writer in find_in_flight(figures.heartbeats))
    return LedgerHealth(**asdict(figures.today), in_flight_messages=waiting)


def find_program_health(heartbeats: list[Heartbeat], *, is_insider: bool) -> list[ProgramHealth]:
    """One entry per instance that gave a sign of life, and one for every program that none is running of."""
    found = [
        ProgramHealth(
            program=beat.program.replace("_", "-"),
            status="alive" if beat.age_s <= SILENT_AFTER_S else "silent",
            age_s=round(beat.age_s, 1),
            instance=beat.instance if is_insider else None,
            started_at=beat.started_at,
            details=beat.details if is_insider else None,
        )
        for beat in heartbeats
    ]
    running = {program.program for program in found}
    absent = [ProgramHealth(program=name, status="absent", age_s=None) for name in PROGRAMS if name not in running]
    return found + absent


@router.get("/health/live", summary="The process answers")
def read_live() -> Alive:
    """200 as long as this process answers at all; says nothing of the database."""
    return Alive()


@router.get("/health/ready", summary="The process can serve", responses=declare(503))
def read_ready(pool: Database) -> Alive:
    """200 when the database is reached and has this version's schema; 503 otherwise: send no traffic here."""
    try:
        with pool.connection(timeout=2) as conn:
            verify_migrated(conn)
    except DatabaseNotMigratedError as error:
        raise ProblemError(UNAVAILABLE, str(error), headers={"Retry-After": "10"}) from error
    except DATABASE_GONE as error:
        raise ProblemError(UNAVAILABLE, "The database cannot be reached.", headers={"Retry-After": "2"}) from error
    return Alive()


@router.get(
    "/metrics",
    summary="Prometheus",
    response_class=Response,
    responses=declare(
        401,
        403,
        ok={"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "Exposition text."},
    ),
)
def read_metrics(
    request: Request, state: State, caller: Annotated[Caller | None, Depends(identify_stranger)]
) -> Response:
    """Figures of this process and of the installation; for a token with `health.read`, or a scraper on this machine."""
    if caller is None and not (state.settings.metrics_on_loopback and is_local(request)):
        raise ProblemError(UNAUTHENTICATED, headers={"WWW-Authenticate": 'Bearer realm="forewarn"'})
    if caller is not None and not caller.may(Permission.HEALTH_READ):
        raise missing_permission(Permission.HEALTH_READ)
    return Response(state.metrics.render(make_families(_kept.load(state.pool))), media_type=CONTENT_TYPE)


def is_local(request: Request) -> bool:
    """The request comes from this machine and from no proxy on it."""
    forwarded = any(name in request.headers for name in ("forwarded", "x-forwarded-for", "x-real-ip", "via"))
    try:
        return request.client is not None and ip_address(request.client.host).is_loopback and not forwarded
    except ValueError:
        return False


def make_families(found: Figures) -> list[Metric]:
    """The installation's figures for one scrape; a figure that is not known yet is left out. None has a label whose
    values grow with the fleet."""
    flow = found.flow
    figures = {
        "forewarn_devices": ("Devices not decommissioned", flow.devices),
        "forewarn_devices_online": ("Devices online", flow.devices_online),
        "forewarn_blocks_waiting": ("Blocks stored and not scored", flow.blocks_waiting),
        "forewarn_transitions_waiting": ("Breach transitions not decided", flow.transitions_waiting),
        "forewarn_transitions_oldest_seconds": ("Age of the oldest of them", _age(flow, "oldest_waiting_at") or 0.0),
        "forewarn_outbox_waiting": ("Events that a webhook has not got", flow.outbox_waiting),
        "forewarn_outbox_oldest_seconds": ("Age of the oldest of them", _age(flow, "outbox_oldest_at") or 0.0),
        "forewarn_deliveries_dead": ("Events for webhooks that were given up", flow.deliveries_dead),
        "forewarn_webhooks_gone": ("Webhooks disabled since their receiver answered 410", flow.webhooks_gone),
        "forewarn_device_notices_waiting": ("Notices to devices not acknowledged by the broker", flow.notices_waiting),
        "forewarn_monitors_unscored": ("Monitors that nobody judges: a detector failed", flow.monitors_unscored),
        "forewarn_standstills": (
            "What programs do beside their main path and does not get done",
            len(find_standstills(found.heartbeats)),
        ),
        "forewarn_rollup_lag_seconds": (
            "How far the roll-ups of readings are behind",
            (flow.at - flow.rolled_up_to).total_seconds(),
        ),
        "forewarn_rollups_late": ("Marks of late readings not rolled up yet", flow.rollups_late),
        "forewarn_last_message_age_seconds": ("Time since the last message", _age(flow, "last_message_at")),
        "forewarn_replays_waiting": ("Rejections that are to be decoded again", found.replays_waiting),
    }
    families: list[Metric] = [
        GaugeMetricFamily(name, text, value=v) for name, (text, v) in figures.items() if v is not None
    ]
    today = GaugeMetricFamily("forewarn_ingest_today", "What ingestion counted today (UTC)", labels=["what"])
    for what, count in asdict(found.today).items():
        today.add_metric([what], count)
    ages = GaugeMetricFamily(
        "forewarn_program_age_seconds", "Since the last sign of life", labels=["program", "instance"]
    )
    for beat in found.heartbeats:
        ages.add_metric([beat.program, beat.instance], beat.age_s)
    return [*families, today, ages, *make_ledger_families(found)]


def make_ledger_families(found: Figures) -> list[Metric]:
    """The ledger since the beginning as counters that never go down, what is in flight, and what data quality found."""
    ever = found.ever
    messages = CounterMetricFamily("forewarn_ingest_messages", "Messages stored or refused", value=ever.messages)
    values = CounterMetricFamily(
        "forewarn_ingest_values", "Values by what became of them when they came", labels=["outcome"]
    )
    # What was replayed was refused once: without it the counter would go down, and Prometheus would see a restart.
    refused = ever.rejected + ever.replayed
    outcomes = {"stored": ever.stored, "duplicate": ever.duplicates, "conflict": ever.conflicts, "rejected": refused}
    for outcome, count in outcomes.items():
        values.add_metric([outcome], count)
    replayed = CounterMetricFamily(
        "forewarn_ingest_replayed_values", "Values rejected at first and replayed since", value=ever.replayed
    )
    in_flight = GaugeMetricFamily(
        "forewarn_ingest_in_flight_messages", "Messages received and not stored yet", labels=["instance"]
    )
    for writer in find_in_flight(found.heartbeats):
        in_flight.add_metric([writer.instance], writer.messages)
    rejections = CounterMetricFamily("forewarn_rejections", "Rejections by reason", labels=["reason"])
    for reason, count in found.reasons.items():
        rejections.add_metric([reason], count)
    alerts = GaugeMetricFamily(
        "forewarn_data_quality_alerts_today", "Devices over a limit of data quality today (UTC)", labels=["kind"]
    )
    for kind in AlertKind:
        alerts.add_metric([kind.value], found.alerts.get(kind.value, 0))
    return [messages, values, replayed, in_flight, rejections, alerts]


def _age(flow: Flow, field: str) -> float | None:
    at = getattr(flow, field)
    return None if at is None else round((flow.at - at).total_seconds(), 1)
