"""The HTTP application: every route under one edge, one error map, one table of who may come in."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from typing import Any

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from starlette.middleware.gzip import GZipMiddleware
from starlette.routing import BaseRoute, Mount

from api.attempts import AttemptLedger
from api.auth import Requirement
from api.console import routes as console
from api.console.problem_page import render_problem_page
from api.console.static_files import STATIC_PATH, ConsoleStaticFiles
from api.docs_page import build_docs_router
from api.edge import Edge
from api.form_reading import MOST_BYTES_OF_ONE, MOST_FIELDS
from api.metrics import Metrics
from api.oidc.provider import Provider
from api.openapi import describe
from api.problem_map import find_renderer, map_problems
from api.public_routes import PUBLIC_ROUTES
from api.routes import (
    account,
    approval_requests,
    attachments,
    audit,
    breaches,
    capa_actions,
    capa_work,
    capas,
    checklist_templates,
    checklists,
    complaints,
    contracts,
    customer_attention,
    customer_overview,
    customers,
    data_quality,
    deliveries,
    device_accounts,
    device_lifecycle,
    device_models,
    device_overview,
    devices,
    events,
    exports,
    field_action_drafts,
    field_action_items,
    field_actions,
    firmware,
    firmware_records,
    forecasts,
    health,
    kpis,
    lab,
    maintenance_plans,
    master_data,
    master_imports,
    model_jobs,
    models,
    monitor_changes,
    monitors,
    part_usages,
    profile_versions,
    readings,
    rejections,
    reminders,
    retention,
    saved_views,
    service_calendars,
    sites,
    sla_clocks,
    sla_policies,
    sla_previews,
    suggestions,
    technicians,
    tokens,
    users,
    vigilance,
    visits,
    webhooks,
    work_order_merges,
    work_orders,
)
from api.settings import ApiSettings
from api.state import ApiState, now
from api.stream_hub import StreamHub
from store.pool import abandon_pool, open_pool

ROUTERS = (
    health.router,
    account.router,
    saved_views.router,
    customer_attention.router,
    customer_overview.router,
    master_data.router,
    master_imports.router,
    customers.router,
    sites.router,
    contracts.router,
    device_models.router,
    profile_versions.router,
    device_accounts.router,
    device_overview.router,
    devices.router,
    device_lifecycle.router,
    firmware.router,
    firmware_records.router,
    readings.router,
    forecasts.router,
    breaches.router,
    monitors.router,
    models.router,
    model_jobs.router,
    monitor_changes.router,
    lab.router,
    work_orders.router,
    work_order_merges.router,
    suggestions.router,
    visits.router,
    part_usages.router,
    attachments.router,
    checklists.router,
    checklist_templates.router,
    technicians.router,
    sla_clocks.router,
    service_calendars.router,
    sla_policies.router,
    sla_previews.router,
    capa_actions.router,
    capa_work.router,
    capas.router,
    complaints.router,
    vigilance.router,
    maintenance_plans.router,
    reminders.router,
    field_actions.router,
    field_action_drafts.router,
    field_action_items.router,
    rejections.router,
    data_quality.router,
    retention.router,
    approval_requests.router,
    kpis.router,
    exports.router,
    audit.router,
    users.router,
    tokens.router,
    webhooks.router,
    deliveries.router,
    events.router,
)


BARE: dict[str, Any] = {"openapi_url": None, "docs_url": None, "redoc_url": None, "redirect_slashes": False}


@cache
def build_routes() -> list[BaseRoute]:
    """Every route but those of the document; one list in a process, however many applications it has.

    The routes stand in it as their modules made them. What each of them asks for was worked out there, which is most
    of the work of making an application; `include_router` would do all of it again.
    """
    files = Mount(STATIC_PATH, GZipMiddleware(ConsoleStaticFiles(), minimum_size=1_000), name="static")
    return [*(route for router in (*ROUTERS, *console.ROUTERS) for route in router.routes), files]


def create_app(settings: ApiSettings) -> FastAPI:
    """The application; it reaches the database as long as its lifespan runs.

    Raises
    ------
    RuntimeError
        A route names neither a permission nor itself in `api.public_routes`.
    """
    metrics = Metrics()
    hub = StreamHub(settings.database_url, metrics, limit=settings.stream_clients, queue=settings.stream_queue)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        pool = open_pool(settings.database_url, application="api", size=settings.pool_size)
        app.state.forewarn = ApiState(settings, pool, AttemptLedger(), hub, metrics, now(), find_provider(settings))
        try:
            async with hub.running():
                yield
        finally:
            # Requests are over by now, but for those that wait for a database that does not answer.
            abandon_pool(pool)

    app = FastAPI(
        routes=build_routes(),
        lifespan=lifespan,
        form_limits={"max_fields": MOST_FIELDS, "max_part_size": MOST_BYTES_OF_ONE},
        **BARE,
    )
    app.state.hub = hub
    app.include_router(build_docs_router(app))
    describe(app)
    render = find_renderer(render_problem_page)
    map_problems(app, render)
    verify_routes_guarded(app)
    app.add_middleware(Edge, settings=settings, metrics=metrics, render=render)
    return app


def find_provider(settings: ApiSettings) -> Provider | None:
    """The OpenID Connect provider of these settings; it is asked nothing before somebody comes."""
    if not settings.has_provider:
        return None
    return Provider(settings.oidc, f"{settings.public_url.rstrip('/')}/sign-in/provider/return")


def verify_routes_guarded(app: FastAPI) -> None:
    """Returns when every route asks for a permission or is listed as public.

    Raises
    ------
    RuntimeError
        One does neither.
    """
    for route in iter_route_contexts(app.routes):
        if isinstance(route.route, Mount):
            names = {("MOUNT", route.route.path)}
        else:
            names = {(method, route.path or "") for method in (route.methods or set()) - {"HEAD"}}
        for name in names - PUBLIC_ROUTES:
            if find_permission(route) is None:
                raise RuntimeError(f"{' '.join(name)} names no permission and is not in api.public_routes")


def find_permission(route: Any) -> str | None:
    """The permission that a route asks for."""
    dependant = getattr(route, "dependant", None)
    for dependency in dependant.dependencies if dependant is not None else ():
        if isinstance(dependency.call, Requirement):
            return dependency.call.permission.value
    return None
