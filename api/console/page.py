"""What every page of the console has: who looks, in which language, zone and theme; and how it is rendered."""

import gzip
import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from functools import cache, partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from fastapi import Request
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.responses import HTMLResponse

from api.auth import Caller, lacks_second_factor
from api.console.field_marks import Marks
from api.console.instants import SITE_ZONE, Instant, find_zone, name_offset, render_instant
from api.console.language import (
    LANGUAGE_NAMES,
    LANGUAGE_TAGS,
    LANGUAGES,
    choose_language,
    find_name,
    load_catalogue,
    translate,
)
from api.console.navigation import build_navigation
from api.console.static_files import asset_url
from api.console.who import Who
from api.csrf_token import mask_csrf_token
from api.state import find_state, now
from domain.profile import Text
from domain.roles import Permission
from store.pool import Connection

TEMPLATE_FOLDER = Path(__file__).parent / "templates"
LANGUAGE_COOKIE = "forewarn_language"
THEME_COOKIE = "forewarn_theme"
ZONE_COOKIE = "forewarn_zone"
KEYS_COOKIE = "forewarn_keys"
THEMES = ("light", "dark")
LEAST_COMPRESSED = 1_000  # bytes: one packet
# What stands on one line: dates, serials and codes, short enough for one of a phone; a number with what it counts.
UNBROKEN = re.compile(
    r"((?<![\w-])(?=[\w-]{3,20}(?![\w-]))(?:\w+-)+\w+|(?<![\w.,-])-?\d[\d.,]* [%°µA-Za-z][%/²₂A-Za-z]{0,6}(?![\w-]))",
    re.ASCII,
)
COMPRESSION = 4  # of 9: a list in a millisecond, a tenth larger than with the most

# What console.js says by itself.
SCRIPT_WORDS = (
    "duration.s", "duration.min", "duration.h", "duration.d", "duration.d_h", "ago.now", "ago.past", "ago.future",
    "live.on", "live.paused", "live.stale", "live.unsent", "live.pause", "live.go_on", "live.new", "live.changed",
    "live.show", "live.this_changed", "live.dirty", "list.comma", "inbox.selected", "device.stale", "chart.firmware",
    "form.full",
)  # fmt: skip
# Programs that act by themselves.
MACHINES = ("service_link", "anomaly", "ingest")
OPERATOR = "cli"  # whoever runs commands at the machine
KEY_HELP = (
    ("j k", "keys.step"),
    ("x", "keys.pick"),
    ("Enter", "keys.open"),
    ("keys.space", "keys.preview"),
    ("1", "keys.accept"),
    ("2", "keys.link"),
    ("3", "keys.false_alarm"),
    ("H", "keys.shelve"),
    ("Z", "keys.undo"),
    ("A S O D V L B R C", "keys.order"),
    (".", "keys.show_changes"),
    ("/", "keys.find"),
    ("g i w c d q a", "keys.go"),
    ("?", "keys.help"),
)


@cache
def load_templates() -> Environment:
    """The templates: everything is escaped, and a name that was not given is an error, never an empty place."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATE_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,  # else every look asks the disk for the age of each of its templates
    )
    environment.globals["asset"] = asset_url
    environment.filters["own"] = mark_own
    environment.filters["whole"] = keep_whole
    return environment


def mark_own(text: object) -> Markup:
    """What people or devices wrote, which no language of the console translates; nothing where there is nothing."""
    return Markup('<span translate="no">{}</span>').format(text) if text not in (None, "") else Markup()


def keep_whole(text: str) -> Markup:
    """The text with its dates, serials and codes each on one line, and each number on the line of its unit: a browser
    may else break them behind a hyphen or at the space between them."""
    parts = UNBROKEN.split(text)  # every second one is such a word
    return Markup().join(
        Markup('<span class="nowrap">{}</span>').format(p) if n % 2 else p for n, p in enumerate(parts)
    )


def _flatten_words(language: str) -> dict[str, str]:
    words: dict[str, str] = {}
    catalogue = load_catalogue(language)
    for key in SCRIPT_WORDS:
        message = catalogue[key]
        if isinstance(message, str):
            words[key] = message
        else:
            words[key] = message["other"]
            if "one" in message:
                words[f"{key}.one"] = message["one"]
    return words


@dataclass(frozen=True, slots=True)
class View:
    """One request for a page. `t` gives a message, `name` the name of a code, `when` a time as people read it."""

    request: Request
    caller: Caller | None
    language: str
    now: datetime
    zone_choice: str

    @property
    def person(self) -> Caller:
        """Who looks; pages behind a sign-in have somebody."""
        assert self.caller is not None
        return self.caller

    @property
    def t(self) -> Callable[..., str]:
        """`t("key", count=3)`."""
        return partial(translate, self.language)

    def name(self, group: str, code: str | None) -> str:
        """The name of a code in this language."""
        return find_name(self.language, group, code)

    def say(self, text: Text) -> str:
        """What a profile calls something, in this language."""
        return text.zh if self.language == "zh" else text.en

    def find_zone(self, site_zone: str | None = None) -> tzinfo:
        """The zone that times of a record are shown in: the person's choice, else that of its site."""
        return find_zone(site_zone if self.zone_choice == SITE_ZONE else self.zone_choice)

    def when(self, at: datetime | None, site_zone: str | None = None) -> Instant | None:
        """That time as this person reads it."""
        return None if at is None else render_instant(at, self.now, self.find_zone(site_zone), self.language)

    def may(self, permission: Permission) -> bool:
        """Whether who looks has this right."""
        return self.caller is not None and self.caller.may(permission)

    def may_open(self, permission: Permission) -> bool:
        """Whether a page that needs this right opens now: before a password was chosen, or a second factor that
        everybody needs, none does but those of the own account."""
        if self.caller is None or (session := self.caller.session) is None:
            return self.may(permission)
        is_held = session.must_change_password or lacks_second_factor(find_state(self.request).settings, self.caller)
        return self.may(permission) and not is_held

    def who(self, account: str | None) -> Who:
        """What a page calls whoever acts by that account: a person by the full name, a program by its name in this
        language, a token as it is called; empty where there is no account to tell."""
        if not account:
            return Who("")
        if account in MACHINES:
            return Who(self.name("machine", account))
        name = self._find_full_names().get(account)
        if name is None and account == OPERATOR:
            return Who(self.name("machine", account))
        return Who(name, account) if name else Who(account)

    def _find_full_names(self) -> Mapping[str, str]:
        """Names by account, asked for once for each page; who does not see the maker's people has none."""
        if not (self.may(Permission.STAFF_READ) or self.may(Permission.USER_MANAGE)):
            return {}
        if getattr(self.request.state, "full_names", None) is None:
            with find_state(self.request).pool.connection() as conn:
                self.learn_names(conn)
        found: Mapping[str, str] = self.request.state.full_names
        return found

    def learn_names(self, conn: Connection) -> None:
        """Asks for names now: for a page that says who did something while it holds this connection. Asking for a
        second one then could wait for ever, when all who have one wait for another."""
        self.request.state.full_names = find_state(self.request).full_names.load(conn)

    def say_missing(self, permission: Permission) -> str:
        """Why who has not this right may not."""
        return self.t("act.refused_permission", permission=permission.value)

    def link(self, path: str, **query: str | int | None) -> str:
        """An address with the parts of the query that are there, behind those that `path` has already."""
        kept = {key: value for key, value in query.items() if value not in (None, "")}
        joint = "&" if "?" in path else "?"
        return f"{path}{joint}{urlencode(kept)}" if kept else path

    def render(self, template: str, status: int = 200, /, **context: Any) -> HTMLResponse:
        """The page."""
        marks = Marks()
        common = {"page": self._find_page(), "t": self.t, "name": self.name}
        common |= {"invalid": marks.mark_field, "landing": marks.mark_notice}
        text = load_templates().get_template(template).render(**common, **{"inbox_count": None, **context})
        headers = {
            "Content-Language": LANGUAGE_TAGS[self.language],
            "Vary": "Cookie, Accept-Language, Accept-Encoding",
        }
        content = marks.settle(text).encode()
        if len(content) >= LEAST_COMPRESSED and "gzip" in self.request.headers.get("accept-encoding", ""):
            content = gzip.compress(content, compresslevel=COMPRESSION, mtime=0)
            headers["Content-Encoding"] = "gzip"
        return HTMLResponse(content, status_code=status, headers=headers)

    def _find_page(self) -> dict[str, Any]:
        path = self.request.url.path
        if self.request.method == "POST" and path.count("/") > 1:
            path = path.rsplit("/", 1)[0]  # a form that was refused: its page, not where it was sent
        cookies = self.request.cookies
        theme = cookies.get(THEME_COOKIE)
        done = self.request.query_params.get("done", "")
        done_key = f"done.{done}"
        local_now = self.now.astimezone(self.find_zone())
        session = self.caller.session if self.caller else None
        query = self.request.url.query
        return {
            "caller": self.caller,
            "owner": find_owner(self.caller),
            "initials": "".join(word[0] for word in self.caller.full_name.split()[:2]) if self.caller else "",
            "language": self.language,
            "tag": LANGUAGE_TAGS[self.language],
            "tags": LANGUAGE_TAGS,
            "languages": [(code, LANGUAGE_NAMES[code]) for code in LANGUAGES],
            "theme": theme if theme in THEMES else None,
            "keys_on": cookies.get(KEYS_COOKIE) != "off",
            "zone_choice": self.zone_choice,
            "zone_label": self.t("foot.zone_site") if self.zone_choice == SITE_ZONE else self.zone_choice,
            "csrf": mask_csrf_token(session.csrf_token) if session else "",
            "path": path + (f"?{query}" if query and self.request.method == "GET" else ""),
            "is_refused_form": self.request.method == "POST",
            "now_iso": self.now.isoformat(timespec="seconds"),
            "now_at": f"{local_now:%H:%M:%S} {name_offset(local_now)}",
            "flash": self.t(done_key, n=self._done_count()) if done_key in load_catalogue(self.language) else None,
            "role_names": self.t("list.comma").join(self.name("role", role) for role in self.caller.roles)
            if self.caller
            else "",
            "navigation": build_navigation(path, self.may_open),
            "finds": self.may_open(Permission.DEVICE_READ),
            "key_help": [
                {"key": self.t(key) if key.startswith("keys.") else key, "label": label} for key, label in KEY_HELP
            ],
            "words": _flatten_words(self.language),
        }

    def _done_count(self) -> int:
        count = self.request.query_params.get("n", "")
        return int(count) if count.isascii() and count.isdigit() and len(count) < 7 else 1


def find_view(request: Request, caller: Caller | None) -> View:
    """The view of this request for that person, or for nobody yet."""
    language = choose_language(
        caller.language if caller else "",
        request.cookies.get(LANGUAGE_COOKIE),
        request.headers.get("accept-language"),
    )
    zone_choice = request.cookies.get(ZONE_COOKIE, SITE_ZONE)
    return View(request, caller, language, now(), zone_choice if _is_zone(zone_choice) else SITE_ZONE)


def find_owner(caller: Caller | None) -> str:
    """Whose pages a browser keeps: one word for each session, which tells nothing of it; "" without one."""
    if caller is None or caller.session is None:
        return ""
    return hashlib.sha256(f"kept pages of {caller.session.csrf_token}".encode()).hexdigest()[:16]


def _is_zone(name: str) -> bool:
    return name in (SITE_ZONE, "UTC") or (0 < len(name) < 64 and name.replace("/", "").replace("_", "").isascii())
