"""Health: for people, for orchestrators and for Prometheus."""

from dataclasses import asdict
from importlib.metadata import version
from ipaddress import ip_address
from threading import Lock
from time import monotonic
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from prometheus_client.core import GaugeMetricFamily
from starlette.responses import Response

from api.auth import Caller, identify, missing_permission, read_csrf_token
from api.metrics import CONTENT_TYPE
from api.problems import UNAUTHENTICATED, UNAVAILABLE, ProblemError, declare
from api.shapes.health import Alive, FlowHealth, Health, LedgerHealth, ProgramHealth
from api.state import Database, State
from domain.errors import DatabaseNotMigratedError
from domain.roles import Permission
from store.heartbeats import Heartbeat, load_heartbeats
from store.installation_health import Flow, LedgerDay, load_flow, load_ledger_today
from store.migrate import verify_migrated
from store.pool import DATABASE_GONE, Pool

router = APIRouter(tags=["health"])
PROGRAMS = ("ingest", "anomaly", "service-link", "api")
SILENT_AFTER_S = 15.0
KEPT_S = 1.0


class _Kept:
    """The figures of the last second: however often strangers ask, the database is asked once."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._at = -KEPT_S
        self._pool: Pool | None = None
        self._value: tuple[Flow, LedgerDay, list[Heartbeat]] | None = None

    def load(self, pool: Pool) -> tuple[Flow, LedgerDay, list[Heartbeat]]:
        with self._lock:
            if self._value is None or self._pool is not pool or monotonic() - self._at > KEPT_S:
                with pool.connection() as conn:
                    self._value = (load_flow(conn), load_ledger_today(conn), load_heartbeats(conn))
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
    flow, ledger, heartbeats = _kept.load(pool)
    is_insider = caller is not None and caller.may(Permission.HEALTH_READ)
    programs = find_program_health(heartbeats, is_insider=is_insider)
    return Health(
        status="ok" if all(p.status == "alive" for p in programs) else "degraded",
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
        ),
        ledger=LedgerHealth(**asdict(ledger)) if is_insider else None,
    )


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
    flow, ledger, heartbeats = _kept.load(state.pool)
    return Response(state.metrics.render(make_families(flow, ledger, heartbeats)), media_type=CONTENT_TYPE)


def is_local(request: Request) -> bool:
    """The request comes from this machine and from no proxy on it."""
    forwarded = any(name in request.headers for name in ("forwarded", "x-forwarded-for", "x-real-ip", "via"))
    try:
        return request.client is not None and ip_address(request.client.host).is_loopback and not forwarded
    except ValueError:
        return False


def make_families(flow: Flow, ledger: LedgerDay, heartbeats: list[Heartbeat]) -> list[GaugeMetricFamily]:
    """The installation's figures for one scrape; a figure that is not known yet is left out."""
    figures = {
        "forewarn_devices": ("Devices not decommissioned", flow.devices),
        "forewarn_devices_online": ("Devices online", flow.devices_online),
        "forewarn_blocks_waiting": ("Blocks stored and not scored", flow.blocks_waiting),
        "forewarn_transitions_waiting": ("Breach transitions not decided", flow.transitions_waiting),
        "forewarn_transitions_oldest_seconds": ("Age of the oldest of them", _age(flow, "oldest_waiting_at") or 0.0),
        "forewarn_outbox_waiting": ("Events not delivered", flow.outbox_waiting),
        "forewarn_last_message_age_seconds": ("Time since the last message", _age(flow, "last_message_at")),
    }
    families = [GaugeMetricFamily(name, text, value=v) for name, (text, v) in figures.items() if v is not None]
    today = GaugeMetricFamily("forewarn_ingest_today", "What ingestion counted today (UTC)", labels=["what"])
    for what, count in asdict(ledger).items():
        today.add_metric([what], count)
    ages = GaugeMetricFamily(
        "forewarn_program_age_seconds", "Since the last sign of life", labels=["program", "instance"]
    )
    for beat in heartbeats:
        ages.add_metric([beat.program, beat.instance], beat.age_s)
    return [*families, today, ages]


def _age(flow: Flow, field: str) -> float | None:
    at = getattr(flow, field)
    return None if at is None else round((flow.at - at).total_seconds(), 1)
