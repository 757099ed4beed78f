"""A small fleet with people of every role who draft, approve and carry out field actions, for tests."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from domain.audit import Signature
from domain.clock import to_micros
from domain.field_action import (
    FieldAction,
    FieldActionKind,
    FieldActionState,
)
from domain.field_action_item import FieldActionItem, ItemRequest, ItemState
from domain.field_action_scope import ScopeQuery, Wave
from domain.field_action_steps import (
    FieldActionRequest,
    find_field_action_permissions,
)
from domain.firmware_record import FirmwareRecord, FirmwareRecordState, FirmwareRequest
from domain.firmware_version import VersionRange
from domain.report import FirmwareReport, FirmwareState
from domain.roles import Permission
from service_link.field_actions import follow_round
from store.field_action_communications import Channel, ContactResult, NewCommunication, record_communication
from store.field_action_drafts import (
    FieldActionDraft,
    record_draft,
)
from store.field_action_halts import record_resumption
from store.field_action_items import ItemFilter, load_items, lock_item
from store.field_action_scope import freeze_scope
from store.field_action_transitions import open_next_wave, record_field_action_step, record_item_step
from store.field_actions import lock_field_action
from store.firmware_records import lock_firmware, record_firmware_step, register_firmware
from store.reports import record_firmware_report
from tests.support.service_world import World, actor, open_world

_S = FieldActionState
OLD, NEW = "2.3.0", "2.4.0"
SHA256 = "ab" * 32
ROLES = {
    "eva": "engineer",
    "quentin": "quality_engineer",
    "ada": "quality_approver",
    "bob": "quality_approver",
    "mia": "service_manager",
    "dirk": "dispatcher",
}


@dataclass(slots=True)
class Campaigns:
    """A world of pumps with the people who run actions on them."""

    world: World
    people: dict[str, int] = field(default_factory=dict)

    def sign(self, who: str, meaning: str = "I approve") -> Signature:
        return Signature(self.people[who], who.title(), meaning)

    def release(self, version: str = NEW, component: str = "main", **more: Any) -> FirmwareRecord:
        """That version of a component of the pump: registered, approved by two, and released."""
        conn, now = self.world.conn, self.world.now
        with conn.transaction():
            record = register_firmware(
                conn,
                actor("eva", Permission.FIRMWARE_WRITE, self.people["eva"]),
                model="PUMP",
                component=component,
                version=version,
                sha256=SHA256,
                now=now,
                **more,
            )
        assert record is not None
        for who in ("ada", "bob"):
            record = self.step_firmware(who, version, FirmwareRecordState.APPROVED, component=component)
        return self.step_firmware("bob", version, FirmwareRecordState.RELEASED, component=component)

    def step_firmware(
        self, who: str, version: str, to: FirmwareRecordState, reason: str = "", *, component: str = "main"
    ) -> FirmwareRecord:
        conn = self.world.conn
        with conn.transaction():
            before = lock_firmware(conn, "PUMP", component, version, None)
            request = FirmwareRequest(to, reason, self.sign(who))
            by = actor(who, Permission.FIRMWARE_APPROVE, self.people[who])
            return record_firmware_step(conn, by, before, request, now=self.world.now)

    def draft(
        self,
        kind: FieldActionKind = FieldActionKind.FIRMWARE,
        *,
        query: ScopeQuery | None = None,
        waves: Sequence[Wave] = (Wave(),),
        **more: Any,
    ) -> FieldAction:
        """A draft whose scope is frozen: all pumps on a version before NEW, unless `query` says otherwise."""
        conn, now = self.world.conn, self.world.now
        by = actor("quentin", Permission.FIELD_ACTION_WRITE, self.people["quentin"])
        if kind is FieldActionKind.FIRMWARE:
            more.setdefault("firmware_version", NEW)
        wanted = FieldActionDraft(kind, "Pump stops", "PUMP", instructions="Update it", waves=tuple(waves), **more)
        with conn.transaction():
            action = record_draft(conn, by, wanted, now=now)
            scope = query or ScopeQuery("PUMP", firmware=VersionRange(before=NEW))
            return freeze_scope(conn, by, action, scope, now=now)

    def move(self, who: str, code: str, to: FieldActionState, reason: str = "", *, signed: bool = False) -> FieldAction:
        conn = self.world.conn
        with conn.transaction():
            action = lock_field_action(conn, code)
            (permission, *_) = find_field_action_permissions(action.state, to) or (Permission.FIELD_ACTION_WRITE,)
            request = FieldActionRequest(to, reason, self.sign(who) if signed else None)
            by = actor(who, permission, self.people[who])
            return record_field_action_step(conn, by, action, request, now=self.world.now)

    def approve(self, code: str) -> FieldAction:
        self.move("ada", code, _S.APPROVED, signed=True)
        return self.move("bob", code, _S.APPROVED, signed=True)

    def start(self, action: FieldAction) -> FieldAction:
        """From a draft to EXECUTING: approved by two, every customer told."""
        self.approve(action.code)
        self.move("quentin", action.code, _S.NOTIFYING)
        for row in self.world.rows(
            "SELECT DISTINCT customer_code FROM field_action_place WHERE field_action_id = %s"
            " AND customer_code IS NOT NULL",
            action.id,
        ):
            self.tell(action.code, customer=row["customer_code"])
        return self.move("quentin", action.code, _S.EXECUTING)

    def tell(self, code: str, result: ContactResult = ContactResult.SENT, **more: Any) -> int:
        conn = self.world.conn
        with conn.transaction():
            said = NewCommunication(Channel.EMAIL, result, self.world.now, **more)
            by = actor("dirk", Permission.FIELD_ACTION_WORK, self.people["dirk"])
            return record_communication(conn, by, lock_field_action(conn, code), said, now=self.world.now)

    def step_item(self, who: str, code: str, serial: str, to: ItemState, **more: Any) -> FieldActionItem:
        conn = self.world.conn
        with conn.transaction():
            action = lock_field_action(conn, code)
            by = actor(who, Permission.FIELD_ACTION_WORK, self.people[who])
            return record_item_step(
                conn, by, action, lock_item(conn, action, serial), ItemRequest(to, **more), now=self.world.now
            )

    def open_wave(self, code: str) -> FieldAction:
        conn = self.world.conn
        with conn.transaction():
            by = actor("quentin", Permission.FIELD_ACTION_WRITE, self.people["quentin"])
            return open_next_wave(conn, by, lock_field_action(conn, code), now=self.world.now)

    def resume(self, who: str, code: str, reason: str = "not the firmware") -> FieldAction:
        conn = self.world.conn
        with conn.transaction():
            by = actor(who, Permission.FIELD_ACTION_APPROVE, self.people[who])
            action = lock_field_action(conn, code)
            return record_resumption(conn, by, action, reason, self.sign(who, "go on"), now=self.world.now)

    def report(
        self,
        serial: str,
        version: str = NEW,
        state: FirmwareState = FirmwareState.UPDATED,
        *,
        at: datetime | None = None,
        component: str = "main",
        previous: str | None = None,
        error: str | None = None,
    ) -> None:
        """What the device says, as ingest records it."""
        instant = to_micros(at or self.world.now)
        report = FirmwareReport(
            self.world.devices[serial], instant, instant, component, version, state, previous, error
        )
        with self.world.conn.transaction():
            record_firmware_report(self.world.conn, report)

    def follow(self) -> None:
        """One round of service-link."""
        follow_round(self.world.conn, self.world.now)

    def item(self, action: FieldAction, serial: str) -> FieldActionItem:
        (item,) = load_items(self.world.conn, action.id, ItemFilter(serial=serial))
        return item

    def states(self, action: FieldAction) -> dict[str, str]:
        return {item.serial: item.state.value for item in load_items(self.world.conn, action.id)}

    def notices(self) -> dict[str, dict[str, Any] | None]:
        """What the broker is to keep, by serial."""
        rows = self.world.rows(
            "SELECT d.serial, n.wanted FROM device_notice n JOIN device d ON d.id = n.device_id ORDER BY d.serial"
        )
        return {row["serial"]: row["wanted"] for row in rows}


@contextmanager
def open_campaigns(url: str, devices: int = 4, sites: int = 2) -> Iterator[Campaigns]:
    """`devices` pumps SN-1, SN-2, ... on OLD, by turns at the sites S1, S2, ... of as many customers."""
    with open_world(url) as world:
        places = [world.add_site(f"S{n}") for n in range(1, sites + 1)]
        for n in range(1, devices + 1):
            world.add_device(
                f"SN-{n}",
                places[(n - 1) % sites],
                firmware=OLD,
                lot=f"L{(n - 1) % 2 + 1}",
                known_for=timedelta(days=60),
            )
        people = {name: world.add_user(name, role) for name, role in ROLES.items()}
        yield Campaigns(world, people)
