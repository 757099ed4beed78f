"""What the pages of accounts say: sessions, and why something was refused, in the person's words."""

from collections.abc import Iterable
from datetime import timedelta

from api.console.instants import name_duration
from api.console.page import View
from api.problems import ProblemError
from store.sessions import OpenSession

# As browsers call themselves, the more particular names first; no more is needed to know one's own again.
BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)


def find_browser(agent: str) -> str:
    """Browser and system by their names, as far as they are known; else the beginning of what it calls itself."""
    browser = next((name for sign, name in BROWSERS if sign in agent), "")
    system = next((name for sign, name in SYSTEMS if sign in agent), "")
    return " · ".join(filter(None, (browser, system))) or agent[:60]


def build_sessions(view: View, sessions: list[OpenSession], own: int | None) -> list[dict[str, object]]:
    """The lines of a table of sessions."""
    return [
        {
            "id": session.id,
            "is_current": session.id == own,
            "began": view.when(session.created_at),
            "used": view.when(session.last_used_at),
            "ends": view.when(session.expires_at),
            "address": session.address or "–",
            "browser": find_browser(session.browser) or "–",
            "method": view.name("sign_in_method", session.method),
        }
        for session in sessions
    ]


def name_problem(view: View, refused: ProblemError) -> str:
    """Why it was refused, as a sentence."""
    if "Retry-After" in refused.headers:
        span = name_duration(timedelta(seconds=int(refused.headers["Retry-After"])), view.language)
        return view.t("sign_in.locked", span=span)
    guard = refused.extra.get("guard")
    if isinstance(guard, str):
        return view.name("account_guard", guard)
    return " ".join(find_wrong(view, (error.field for error in refused.errors)).values()) or refused.detail


def find_wrong(view: View, fields: Iterable[str], customer: str | None = None) -> dict[str, str]:
    """What to say at each of these fields; of the customer whether one is missing or which one there is not."""
    wrong = {name: view.name("account_field", name) for name in fields}
    if "customer" in wrong:
        wrong["customer"] = (
            view.t("admin.customer_unknown", code=customer) if customer else view.t("admin.customer_missing")
        )
    return wrong


def find_refused(view: View, refused: ProblemError, customer: str | None) -> tuple[str, dict[str, str]]:
    """What to say above a form and at its fields; a guard that is of one field stands there."""
    names = [error.field for error in refused.errors]
    guard = refused.extra.get("guard")
    if not names:
        return name_problem(view, refused), {}
    if isinstance(guard, str):
        return view.t("form.unusable"), dict.fromkeys(names, view.name("account_guard", guard))
    return view.t("form.unusable"), find_wrong(view, names, customer)
