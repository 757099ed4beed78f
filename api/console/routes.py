"""The console's pages under one router, its static files, and its answer to problems."""

from fastapi import APIRouter, FastAPI

from api.console import (
    account_page,
    admin_pages,
    admin_user_pages,
    approval_pages,
    audit_page,
    calendar_pages,
    capa_forms,
    capa_pages,
    complaint_forms,
    complaint_pages,
    customer_pages,
    data_quality_page,
    device_life_page,
    device_list_page,
    device_page,
    door_pages,
    field_action_forms,
    field_action_item_forms,
    field_action_pages,
    firmware_pages,
    fleet_page,
    inbox_page,
    inbox_versions,
    kept_pages,
    kpi_pages,
    lab_page,
    model_pages,
    monitor_forms,
    monitor_list_page,
    monitor_page,
    my_page,
    order_record_steps,
    plan_pages,
    profile_pages,
    provider_pages,
    saved_view_pages,
    retention_pages,
    sla_pages,
    webhook_pages,
    work_order_list_page,
    work_order_page,
    work_order_steps,
)
from api.console.problem_page import render_problem_page
from api.console.static_files import STATIC_PATH, ConsoleStaticFiles

__all__ = ["build_router", "mount_static", "render_problem_page"]


def build_router() -> APIRouter:
    """Every page; each route names its permission or stands in api.public_routes."""
    router = APIRouter(include_in_schema=False)
    for page in (
        door_pages,
        my_page,
        kept_pages,
        inbox_page,
        inbox_versions,
        work_order_list_page,
        work_order_page,
        work_order_steps,
        order_record_steps,
        approval_pages,
        capa_forms,
        capa_pages,
        field_action_forms,
        field_action_item_forms,
        field_action_pages,
        firmware_pages,
        complaint_forms,
        complaint_pages,
        plan_pages,
        customer_pages,
        device_life_page,
        device_list_page,
        device_page,
        fleet_page,
        kpi_pages,
        monitor_list_page,
        monitor_page,
        monitor_forms,
        lab_page,
        model_pages,
        data_quality_page,
        audit_page,
        account_page,
        saved_view_pages,
        webhook_pages,
        admin_user_pages,
        admin_pages,
        sla_pages,
        calendar_pages,
        profile_pages,
        retention_pages,
        provider_pages,
    ):
        router.include_router(page.router)
    return router


def mount_static(app: FastAPI) -> None:
    """The style sheet, the scripts and the icon, below /static."""
    app.mount(STATIC_PATH, ConsoleStaticFiles(), name="static")
