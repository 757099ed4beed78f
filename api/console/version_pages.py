"""Pages of configuration of which every version is kept: a new one is shown before it counts, and given to who goes by
it; clocks that run keep what they began with.

What SLA policies and service calendars have in common. A kind of record brings its words, its form and its tables.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, ClassVar, Generic, TypeVar

from fastapi import APIRouter, Request
from pydantic import ValidationError
from starlette.datastructures import FormData
from starlette.responses import RedirectResponse, Response

from api.auth import Caller, require
from api.console.acting import find_actor
from api.console.conflict_words import say_conflict
from api.console.forms import Fields, read_many, read_number, read_text
from api.console.page import View, find_view
from api.console.version_views import Row
from api.once import change
from api.problems import ProblemError, not_found
from api.state import Database
from domain.audit import Actor
from domain.errors import RowVersionConflictError
from domain.roles import Permission
from store.pool import Connection, Pool
from store.versioned_records import VersionedRecords, VersionedRow

WRITE = Permission.SLA_POLICY_WRITE
Reader = Annotated[Caller, require(Permission.CONFIGURATION_READ)]
Writer = Annotated[Caller, require(WRITE)]
ROWS, SHOWN = 100, 50
LONGEST_REASON = 2_000
TEXT = 600_000  # a thousand own days, each with as many hours and as long a name as may be

Wish = TypeVar("Wish")
Preview = TypeVar("Preview")


@dataclass(frozen=True, slots=True)
class Left(Generic[Preview]):
    """What a form leaves on the page: what was typed, a sentence for each wrong field, or what it would do."""

    values: Mapping[str, str] | None = None
    wrong: Mapping[str, str] = field(default_factory=dict)
    preview: Preview | None = None
    seen: int = 0  # the version that the form goes on from; 0: the one that is shown
    problem: str | None = None
    status: int = 200
    given: Mapping[str, str] | None = None
    given_wrong: Mapping[str, str] = field(default_factory=dict)

    def find_problem(self, view: View) -> tuple[str | None, int]:
        """(what stands at the top of the page, its status)."""
        return (view.t("form.unusable"), 422) if self.wrong or self.given_wrong else (self.problem, self.status)


class VersionPages(ABC, Generic[Row, Wish, Preview]):
    """The list of one kind of record, and the page of one.

    `Wish` is what somebody wants a record to say, `Preview` what that would do.
    """

    place: ClassVar[str]  # of the list; a record is below it by its code
    entity: ClassVar[str]  # as the audit names a record
    kind: ClassVar[str]  # as a problem names it
    follower: ClassVar[str]  # what goes by a record: its field in the form, and as the audit names it
    unknown: ClassVar[str]  # what is said, of the group sla_wrong, where there is no such follower
    templates: ClassVar[tuple[str, str]]  # of the list and of a record
    records: VersionedRecords[Row]
    previews_new: ClassVar[bool]  # whether a new record is shown before it is made, as a new version always is

    @abstractmethod
    def read_content(self, view: View, fields: FormData) -> tuple[dict[str, Any], dict[str, str]]:
        """What was typed as the API would take it, without the code; a sentence for each field that no one can read."""

    @abstractmethod
    def read_wish(self, pool: Pool, content: Mapping[str, Any]) -> Wish:
        """What is wanted, by the rules of the API.

        Raises
        ------
        ValidationError, ProblemError
            It cannot be.
        """

    @abstractmethod
    def say_wrong(self, view: View, path: str) -> tuple[str, str]:
        """The field of the form that a field of the API stands in, and what is asked of it."""

    @abstractmethod
    def preview(self, view: View, row: Row | None, wish: Wish) -> Preview:
        """What `wish` would do; beside `row` where there is one."""

    @abstractmethod
    def create(self, conn: Connection, actor: Actor, code: str, wish: Wish, now: datetime) -> bool:
        """Makes the record; False where there is one of that code."""

    @abstractmethod
    def change(self, conn: Connection, actor: Actor, code: str, wish: Wish, expected: int, now: datetime) -> object:
        """Makes the next version of the record that stands at row version `expected`."""

    @abstractmethod
    def load_follower(self, conn: Connection, name: str, customer_id: int | None) -> VersionedRow | None:
        """The site, the contract; None where this reader sees none of that name."""

    @abstractmethod
    def assign(
        self, conn: Connection, actor: Actor, name: str, code: str, expected: int, reason: str, now: datetime
    ) -> None:
        """Has the follower, which stands at row version `expected`, go by the record of that code."""

    @abstractmethod
    def find_form(self, view: View, conn: Connection, row: Row | None, left: Left[Preview]) -> object:
        """The form with what was typed, else with what `row` says; without one that of a new record."""

    @abstractmethod
    def find_list(self, view: View, conn: Connection, rows: Sequence[Row], preview: Preview | None) -> dict[str, Any]:
        """What the list shows of these records."""

    @abstractmethod
    def find_record(self, view: View, conn: Connection, row: Row, preview: Preview | None) -> dict[str, Any]:
        """What the page of that record shows beside its form."""

    def make_router(self) -> APIRouter:
        """The addresses of these pages and of their forms."""
        router = APIRouter(prefix=self.place, include_in_schema=False)
        router.get("")(self.show_list)
        router.post("/new")(self.take_new)
        router.get("/{code}")(self.show_record)
        router.post("/{code}/version")(self.take_version)
        router.post(f"/{{code}}/{self.follower}")(self.take_follower)
        return router

    def show_list(self, request: Request, pool: Database, caller: Reader, after: str = "") -> Response:
        """Records by code, each in its current version."""
        return self._render_list(find_view(request, caller), pool, after=after[:64])

    def show_record(self, request: Request, pool: Database, caller: Reader, code: str) -> Response:
        """One record: what it says, who goes by it, every version."""
        return self._render(find_view(request, caller), pool, code)

    def take_new(self, request: Request, pool: Database, caller: Writer, fields: Fields) -> Response:
        """Makes a record; where it is to be seen before, only with `step=save`."""
        view, values, code = find_view(request, caller), _read_values(fields), read_text(fields, "code")
        wish, wrong = self._read_wish(view, pool, fields, {"code": code})
        if wish is None:
            return self._render_list(view, pool, Left(values, wrong))
        if self.previews_new and read_text(fields, "step") != "save":
            return self._render_list(view, pool, Left(values, preview=self.preview(view, None, wish)))
        actor, made = find_actor(caller, (WRITE,)), wish
        if not change(pool, lambda conn: self.create(conn, actor, code, made, view.now)):
            return self._render_list(view, pool, Left(values, {"code": view.name("sla_wrong", "taken")}))
        return self._show_saved(view, code)

    def take_version(self, request: Request, pool: Database, caller: Writer, code: str, fields: Fields) -> Response:
        """Shows what the next version would change or, with `step=save`, makes it."""
        view, values = find_view(request, caller), _read_values(fields)
        with pool.connection() as conn:
            row = self._load(conn, view, code)
        wish, wrong = self._read_wish(view, pool, fields, {})
        expected = int(read_number(fields, "row_version") or 0)
        if wish is None:
            return self._render(view, pool, code, Left(values, wrong, seen=expected))
        if read_text(fields, "step") != "save":
            preview = self.preview(view, row, wish)
            return self._render(view, pool, code, Left(values, preview=preview, seen=row.row_version))
        actor, made = find_actor(caller, (WRITE,)), wish
        try:
            change(pool, lambda conn: self.change(conn, actor, code, made, expected, view.now))
        except RowVersionConflictError:
            problem = say_conflict(view, pool, self.entity, code)
            return self._render(view, pool, code, Left(values, problem=problem, status=412))
        return self._show_saved(view, code)

    def take_follower(self, request: Request, pool: Database, caller: Writer, code: str, fields: Fields) -> Response:
        """Has a site or a contract go by this record; clocks that run keep what they began with."""
        view, why = find_view(request, caller), f"{self.follower}_reason"
        name, reason = read_text(fields, self.follower), read_text(fields, why)
        with pool.connection() as conn:
            self._load(conn, view, code)
            found = self.load_follower(conn, name, caller.customer_id)
        given = {self.follower: name, why: reason}
        wrong = {} if found else {self.follower: view.name("sla_wrong", self.unknown)}
        if not reason or len(reason) > LONGEST_REASON:
            wrong[why] = view.name("sla_wrong", "reason" if reason else "missing")
        if found is None or wrong:
            return self._render(view, pool, code, Left(given=given, given_wrong=wrong))
        actor, expected = find_actor(caller, (WRITE,)), found.row_version
        try:
            change(pool, lambda conn: self.assign(conn, actor, name, code, expected, reason, view.now))
        except RowVersionConflictError:
            problem = say_conflict(view, pool, self.follower, name)
            return self._render(view, pool, code, Left(given=given, problem=problem, status=412))
        return self._show_saved(view, code)

    def _render_list(self, view: View, pool: Pool, left: Left[Preview] | None = None, *, after: str = "") -> Response:
        left = left or Left()
        with pool.connection() as conn:
            view.learn_names(conn)
            rows = self.records.load_page(conn, customer_id=view.person.customer_id, after=after, limit=ROWS + 1)
            shown = self.find_list(view, conn, rows[:ROWS], left.preview)
            form = self.find_form(view, conn, None, left)
        shown["older"] = view.link(self.place, after=rows[ROWS - 1].code) if len(rows) > ROWS else None
        return self._fill(view, self.templates[0], left, form, shown)

    def _render(self, view: View, pool: Pool, code: str, left: Left[Preview] | None = None) -> Response:
        left = left or Left()
        with pool.connection() as conn:
            view.learn_names(conn)
            row = self._load(conn, view, code)
            shown = self.find_record(view, conn, row, left.preview)
            form = self.find_form(view, conn, row, left)
        shown |= {
            # A form goes on from what its sender has seen; one that met somebody else's change, from what it shows now.
            "row_version": left.seen or row.row_version,
            "next_version": row.version + 1,
            "given": left.given or dict.fromkeys((self.follower, f"{self.follower}_reason"), ""),
            "given_wrong": left.given_wrong,
        }
        return self._fill(view, self.templates[1], left, form, shown)

    def _fill(self, view: View, template: str, left: Left[Preview], form: object, shown: Mapping[str, Any]) -> Response:
        problem, status = left.find_problem(view)
        opened, may_write = left.values is not None, view.may(WRITE)
        return view.render(template, status, problem=problem, may_write=may_write, form=form, opened=opened, **shown)

    def _load(self, conn: Connection, view: View, code: str) -> Row:
        row = self.records.load(conn, code, customer_id=view.person.customer_id)
        if row is None:
            raise not_found(self.kind, code, "code")
        return row

    def _read_wish(
        self, view: View, pool: Pool, fields: FormData, more: Mapping[str, str]
    ) -> tuple[Wish | None, dict[str, str]]:
        content, wrong = self.read_content(view, fields)
        content |= {"name": read_text(fields, "name"), "reason": read_text(fields, "reason"), **more}
        if not content["reason"]:
            wrong["reason"] = view.name("sla_wrong", "missing")
        if wrong:
            return None, wrong
        try:
            return self.read_wish(pool, content), {}
        except ValidationError as error:
            paths = [".".join(str(part) for part in one["loc"]) for one in error.errors()]
        except ProblemError as refused:
            paths = [one.field for one in refused.errors]
        return None, dict(self.say_wrong(view, path) for path in paths)

    def _show_saved(self, view: View, code: str) -> Response:
        return RedirectResponse(view.link(f"{self.place}/{code}", done="saved"), 303)


def _read_values(fields: FormData) -> dict[str, str]:
    """What was typed, as the form takes it back: several of one name with blanks between."""
    return {name: " ".join(read_many(fields, name)).strip() for name in fields}
