"""What the pages of administration show: settings without secrets, roles and rights, forms with what was typed."""

from dataclasses import dataclass, fields, is_dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from api.console.account_views import find_wrong
from api.console.page import View
from api.console.place_words import tell_code
from api.settings import ApiSettings
from domain.roles import ROLE_PERMISSIONS, Permission, Role
from store.place_names import PlaceNames
from store.tokens import Token
from store.users import User

MOST_CUSTOMERS = 200  # that a form offers by their codes
Body = TypeVar("Body", bound=BaseModel)
# Set for the whole installation, under another name than the program's own.
HOUSE = {
    "host": "FOREWARN_HTTP_HOST",
    "port": "FOREWARN_HTTP_PORT",
    "attachments": "FOREWARN_ATTACHMENTS",
    "sign_in_key_file": "FOREWARN_SIGN_IN_KEY_FILE",
    "webhook_key_file": "FOREWARN_WEBHOOK_KEY_FILE",
    "webhook_networks": "FOREWARN_WEBHOOK_NETWORKS",
    "database_url": "FOREWARN_DATABASE_URL",
    "broker_admin_url": "FOREWARN_MQTT_ADMIN_URL",
}


def list_settings(view: View, settings: Any, prefix: str = "FOREWARN_API_") -> list[tuple[str, str]]:
    """Each setting of the program by its variable; of one that may hold a secret only whether it is set."""
    rows: list[tuple[str, str]] = []
    for field in fields(settings):
        value = getattr(settings, field.name)
        variable = HOUSE.get(field.name, f"{prefix}{field.name.upper()}")
        if is_dataclass(value):
            rows += list_settings(view, value, f"{variable}_")
        elif not field.repr:
            rows.append((variable, view.t("admin.secret_set") if value else view.t("admin.not_set")))
        else:
            rows.append((variable, _say(view, value)))
    return rows


def list_ways_in(view: View, settings: ApiSettings) -> list[tuple[str, str]]:
    """How people come in, in words."""
    provider = (
        f"{settings.oidc.label} · {settings.oidc.issuer}" if settings.has_provider else view.t("admin.no_provider")
    )
    names = ", ".join(sorted(settings.break_glass_names))
    passwords = (
        view.t("admin.passwords_all") if settings.password_sign_in else view.t("admin.passwords_few", names=names)
    )
    factor = "admin.factor_all" if settings.second_factor_required else "admin.factor_own"
    return [
        (view.t("admin.way_password"), passwords),
        (view.t("account.factor"), view.t(factor)),
        (view.t("admin.way_provider"), provider),
        (
            view.t("admin.way_session"),
            view.t(
                "admin.session_ends",
                hours=f"{settings.session_hours:g}",
                minutes=f"{settings.session_idle_minutes:g}",
            ),
        ),
        (view.t("admin.way_tls"), view.t("admin.tls_on" if settings.is_https else "admin.tls_off")),
    ]


def _say(view: View, value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return view.t("admin.not_set") if value in (None, "") else str(value)


def build_matrix(view: View) -> dict[str, Any]:
    """Every right by every role, as domain.roles has it."""
    rows = [
        {
            "permission": permission.value,
            "name": view.name("permission", permission.value),
            "held": [permission in ROLE_PERMISSIONS[role] for role in Role],
        }
        for permission in Permission
    ]
    return {"roles": [view.name("role", role) for role in Role], "rows": rows}


def list_roles(view: View, chosen: list[str]) -> list[dict[str, object]]:
    """The roles as boxes to tick."""
    return [{"code": role.value, "label": view.name("role", role), "on": role.value in chosen} for role in Role]


def build_user(view: View, user: User, places: PlaceNames) -> dict[str, object]:
    """One line of the list of accounts."""
    locked = user.locked_until is not None and user.locked_until > view.now
    return {
        "name": user.name,
        "full_name": user.full_name,
        "roles": view.t("list.comma").join(view.name("role", role) for role in user.roles),
        "customer": tell_code(view, user.customer_code, places.customers),
        "status": view.name("account_status", user.status),
        "is_active": user.status == "ACTIVE",
        "is_locked": locked,
        "has_second_factor": user.has_second_factor,
        "is_linked": user.is_linked,
        "must_change": user.must_change_password,
    }


def build_token(view: View, token: Token, places: PlaceNames) -> dict[str, object]:
    """One line of the list of tokens."""
    if token.revoked_at is not None:
        state = "REVOKED"
    elif token.expires_at is not None and token.expires_at <= view.now:
        state = "EXPIRED"
    else:
        state = "VALID"
    return {
        "id": token.id,
        "name": token.name,
        "role": view.name("role", token.role),
        "customer": tell_code(view, token.customer_code, places.customers),
        "made": view.when(token.created_at),
        "used": view.when(token.last_used_at),
        "expires": view.when(token.expires_at),
        "state": view.name("token_state", state),
        "is_valid": state == "VALID",
    }


@dataclass(frozen=True, slots=True)
class Refused:
    """A form that cannot be used: why, as a sentence for each field."""

    wrong: dict[str, str]


def read_form(view: View, shape: type[Body], values: dict[str, Any]) -> Body | Refused:
    """What was typed, as the API would take it."""
    try:
        return shape.model_validate(values)
    except ValidationError as wrong:
        names = dict.fromkeys(str(error["loc"][0]) for error in wrong.errors())
        return Refused(find_wrong(view, names, values.get("customer")))
