"""Both languages say the same things: every key, every parameter, every code, and what templates and code ask for."""

import re
from collections.abc import Iterable
from enum import StrEnum
from functools import cache
from itertools import takewhile
from pathlib import Path
from string import Formatter

import pytest

import api.console
from api.console.language import Message, choose_language, find_name, load_catalogue, translate
from domain.approval_request import ApprovalGuard, ApprovalKind, ApprovalState
from domain.attachment import AttachmentGuard, AttachmentKind, Visibility
from domain.audit_work_order import STEP_ACTIONS, STEPS_BACK
from domain.breach import Severity
from domain.capa import CapaGuard, CapaKind, CapaState, CapaTrigger, ScopeKind, Verdict
from domain.capa_action import ActionKind, ActionState
from domain.capa_cause import CauseCategory, CauseVerdict, EvidenceKind
from domain.capa_effectiveness import EffectivenessMetric, LimitKind, VerdictReason
from domain.checklist import ChecklistGuard
from domain.coming_days import DayKind
from domain.complaint import ComplaintGuard, ComplaintSeverity, ComplaintState
from domain.connectivity import ConnectivityReason, ConnectivityState
from domain.contract import ContractState
from domain.counting import fill_counts, find_forms
from domain.data_quality import AlertKind
from domain.device_exception import DeviceException
from domain.field_action import FieldActionGuard, FieldActionKind, FieldActionState
from domain.field_action_halt import HaltReason
from domain.field_action_item import ItemGuard, ItemState
from domain.firmware import AttemptOutcome, Irregularity
from domain.firmware_record import FirmwareRecordState
from domain.health import HealthReason, HealthState
from domain.kpi import NoValue
from domain.lab import LabRefusalCode, RunState
from domain.lab import Verdict as LabVerdict
from domain.long_jobs import QueueGuard
from domain.maintenance_plan import OccurrenceState, PlanAnchor, PlanGuard, PlanKind, PlanState, PlanUnit
from domain.model_record import ModelGuard, ModelKind, ModelState
from domain.part_usage import PartGuard, PartState
from domain.reading import RejectionReason
from domain.report import FirmwareState
from domain.retention import KeptClass, RetentionGuard
from domain.roles import Permission, Role
from domain.sentence_templates import SENTENCES
from domain.sla_clock import ClockState
from domain.sla_waiver import WaiverGuard
from domain.threshold_proposal import ProposalGuard, ProposalState
from domain.tickets import DecisionKind, Priority, TicketReason
from domain.vigilance import ReportState, VigilanceDecision, VigilanceGuard
from domain.vigilance_terms import Harm, Jurisdiction
from domain.visit import VisitGuard, VisitOutcome
from domain.webhook import (
    EVENT_TYPES,
    TEST_TYPE,
    DeliveryError,
    DeliveryState,
    EndpointState,
    ReplayScope,
    WebhookGuard,
)
from domain.webhook_address import UrlProblem
from domain.work_order import Guard, HoldReason, InboxReason, Outcome, WorkOrderState
from domain.work_order_merge import MergeGuard
from simulators.faults import FaultKind
from store.field_action_communications import Channel, ContactResult

CONSOLE = Path(api.console.__file__).parent
GROUPS: list[tuple[str, type[StrEnum]]] = [
    ("lab_fault", FaultKind),
    ("lab_refusal", LabRefusalCode),
    ("lab_state", RunState),
    ("lab_verdict", LabVerdict),
    ("priority", Priority),
    ("state", WorkOrderState),
    ("state", CapaState),
    ("hold", HoldReason),
    ("outcome", Outcome),
    ("inbox_reason", InboxReason),
    ("guard", Guard),
    ("guard", CapaGuard),
    ("decision", DecisionKind),
    ("reason", TicketReason),
    ("rejection", RejectionReason),
    ("rejection_advice", RejectionReason),
    ("alert", AlertKind),
    ("health", HealthState),
    ("health_reason", HealthReason),
    ("role", Role),
    ("permission", Permission),
    ("trigger", CapaTrigger),
    ("capa_kind", CapaKind),
    ("capa_scope_kind", ScopeKind),
    ("cause_category", CauseCategory),
    ("cause_verdict", CauseVerdict),
    ("evidence_kind", EvidenceKind),
    ("action_kind", ActionKind),
    ("action_state", ActionState),
    ("metric", EffectivenessMetric),
    ("limit_kind", LimitKind),
    ("verdict", Verdict),
    ("verdict_reason", VerdictReason),
    ("complaint_severity", ComplaintSeverity),
    ("vigilance_decision", VigilanceDecision),
    ("report_state", ReportState),
    ("jurisdiction", Jurisdiction),
    ("harm", Harm),
    ("state", ComplaintState),
    ("complaint_guard", ComplaintGuard),
    ("vigilance_guard", VigilanceGuard),
    ("approval_kind", ApprovalKind),
    ("field_action_kind", FieldActionKind),
    ("field_action_guard", FieldActionGuard),
    ("state", FieldActionState),
    ("state", ItemState),
    ("item_guard", ItemGuard),
    ("halt_reason", HaltReason),
    ("firmware_state", FirmwareRecordState),
    ("channel", Channel),
    ("contact_result", ContactResult),
    ("occurrence", OccurrenceState),
    ("plan_kind", PlanKind),
    ("plan_anchor", PlanAnchor),
    ("plan_unit", PlanUnit),
    ("plan_state", PlanState),
    ("plan_guard", PlanGuard),
    ("queue_guard", QueueGuard),
    ("kept", KeptClass),
    ("kept_what", KeptClass),
    ("retention_guard", RetentionGuard),
    ("record_guard", RetentionGuard),
    ("day_kind", DayKind),
    ("severity", Severity),
    ("proposal_state", ProposalState),
    ("proposal_guard", ProposalGuard),
    ("model_state", ModelState),
    ("model_kind", ModelKind),
    ("model_guard", ModelGuard),
    ("connectivity", ConnectivityState),
    ("connectivity_reason", ConnectivityReason),
    ("update", AttemptOutcome),
    ("update_oddity", Irregularity),
    ("record_guard", VisitGuard),
    ("record_guard", PartGuard),
    ("record_guard", ChecklistGuard),
    ("record_guard", AttachmentGuard),
    ("record_guard", MergeGuard),
    ("record_guard", WaiverGuard),
    ("record_guard", ApprovalGuard),
    ("visit_outcome", VisitOutcome),
    ("part_state", PartState),
    ("file_kind", AttachmentKind),
    ("visibility", Visibility),
    ("order_clock_state", ClockState),
    ("waiver_state", ApprovalState),
    ("contract_status", ContractState),
    ("kpi_reason", NoValue),
    ("firmware_report", FirmwareState),
    ("device_exception", DeviceException),
    ("webhook_state", EndpointState),
    ("delivery_state", DeliveryState),
    ("delivery_error", DeliveryError),
    ("webhook_guard", WebhookGuard),
    ("webhook_url", UrlProblem),
    ("replay_scope", ReplayScope),
    ("owed_action_kind", FieldActionKind),
    ("owed_action_state", FieldActionState),
    ("owed_complaint", ComplaintState),
    ("owed_health", HealthReason),
    ("owed_item", ItemState),
    ("owed_occurrence", OccurrenceState),
]


def find_texts(message: Message) -> list[str]:
    return [message] if isinstance(message, str) else list(message.values())


def find_parameters(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def test_both_languages_have_every_key() -> None:
    assert load_catalogue("en").keys() == load_catalogue("zh").keys()


def test_both_languages_have_the_same_parameters_and_no_empty_words() -> None:
    """All keys in one test: there are thousands, and a test of its own costs more than the look at it."""
    unlike, empty = [], []
    for key, message in load_catalogue("en").items():
        forms = [*find_texts(message), *find_texts(load_catalogue("zh")[key])]
        if len({frozenset(find_parameters(form)) for form in forms}) != 1:
            unlike.append(key)
        if key != "list.comma" and not all(form.strip() for form in forms):
            empty.append(key)
    assert unlike == []
    assert empty == []


@pytest.mark.parametrize(("group", "codes"), GROUPS)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_code_has_a_name(group: str, codes: type[StrEnum], language: str) -> None:
    missing = [code.value for code in codes if f"{group}.{code.value}" not in load_catalogue(language)]
    assert missing == []


def test_every_step_of_a_work_order_has_a_name_in_the_audit() -> None:
    told = (*STEP_ACTIONS.values(), *STEPS_BACK.values())
    missing = [action for action in told if f"audit.{action}" not in load_catalogue("en")]
    assert missing == []


def test_every_event_that_a_webhook_is_told_of_has_a_name() -> None:
    assert [kind for kind in (*EVENT_TYPES, TEST_TYPE) if f"event_type.{kind}" not in load_catalogue("en")] == []


@pytest.mark.parametrize("code", [c for c in SENTENCES if f"short.{c}" in load_catalogue("en")])
def test_short_forms_ask_for_nothing_that_the_sentence_has_not(code: str) -> None:
    for language in ("en", "zh"):
        message = load_catalogue(language)[f"short.{code}"]
        assert isinstance(message, str)
        assert find_parameters(message) <= find_parameters(SENTENCES[code]["en"])


def read_sources() -> Iterable[tuple[Path, str]]:
    for pattern in ("*.py", "templates/**/*.html"):
        for path in CONSOLE.glob(pattern):
            yield path, path.read_text("utf-8")


def test_every_message_that_is_asked_for_is_there() -> None:
    known = load_catalogue("en")
    asked = {
        (path.name, key)
        for path, text in read_sources()
        for key in re.findall(r"""\bt\(\s*f?['"]([a-z_]+\.[A-Za-z_0-9.]*[A-Za-z0-9])['"]""", text)
    }
    assert len(asked) > 150
    assert sorted(f"{name}: {key}" for name, key in asked if key not in known) == []


def find_english() -> Iterable[tuple[str, str, bool]]:
    """(key, text, whether its `count` has picked it) of all that is said in English here and in sentences."""
    for key, message in load_catalogue("en").items():
        yield from ((key, text, isinstance(message, dict)) for text in find_texts(message))
    for code, texts in SENTENCES.items():
        yield code, texts["en"], False


# Words with an s behind a placeholder that are no nouns in the plural, and a unit.
NO_NOUNS = {
    "as", "asks", "belongs", "deviates", "does", "follows", "has", "is", "moves", "ms", "names", "needs", "opens",
    "reaches", "reports", "runs", "stays", "waits", "was",
}  # fmt: skip
# "2.5 times the rate": a factor is not counted.
FACTOR = re.compile(r"times (?:the|as)\b")


JOINTS = {"at", "by", "for", "from", "if", "in", "of", "on", "that", "the", "to", "with"}


def find_bare_counts(text: str, *, is_picked: bool) -> list[str]:
    """The placeholders that stand bare before a noun in the plural, at most two words between."""
    found = []
    for match in re.finditer(r"\{(\w+)(?::[,.\w]*)?\}((?: [a-z-]+){1,3})", text):
        if (is_picked and match[1] == "count") or FACTOR.match(text, match.start(2) + 1):
            continue
        words = match[2].split()
        looks_plural = words[0].endswith("s") and len(words[0]) > 1 and words[0] not in NO_NOUNS
        if looks_plural or find_plurals().intersection(takewhile(lambda word: word not in JOINTS, words)):
            found.append(match.group())
    return found


@cache
def find_plurals() -> frozenset[str]:
    """The nouns that anything is counted by: the last word but a verb of each form for many."""
    plurals = set()
    for _, text, _ in find_english():
        for _, name, spec, _ in Formatter().parse(text):
            if name and (forms := find_forms(spec or "")):
                one, other = (form.split() for form in forms)
                plurals |= {
                    more for less, more in zip(one, other, strict=False) if more in (f"{less}s", f"{less[:-1]}ies")
                }
    return frozenset(plurals)


def test_no_english_number_stands_bare_before_a_plural() -> None:
    assert {"device", "devices"} & find_plurals() == {"devices"}
    assert find_bare_counts("{n} open devices were", is_picked=False) == ["{n} open devices were"]
    assert find_bare_counts("{n:open device|open devices}", is_picked=False) == []
    bare = [f"{key}: {text}" for key, text, is_picked in find_english() if find_bare_counts(text, is_picked=is_picked)]
    assert bare == []


def test_every_form_is_said_of_none_one_and_two() -> None:
    wrong = []
    for key, text, _ in find_english():
        parts = [(name, find_forms(spec or "")) for _, name, spec, _ in Formatter().parse(text) if name]
        for name, forms in [(name, forms) for name, forms in parts if forms is not None]:
            for count, form in ((0, forms[1]), (1, forms[0]), (2, forms[1]), ("1", forms[0]), ("< 1", forms[0])):
                said = fill_counts(text, {other: count if other == name else "?" for other, _ in parts})
                if not form or f"{count} {form}" not in said:
                    wrong.append(f"{key}: {said}")
    for key, message in load_catalogue("en").items():
        if isinstance(message, dict):
            others = {name: "?" for text in message.values() for name in find_parameters(text)}
            for count, form in ((0, "other"), (1, "one"), (2, "other"), ("1", "one")):
                if translate("en", key, **{**others, "count": count}) != fill_counts(
                    message[form], {**others, "count": count}
                ):
                    wrong.append(f"{key}: {count}")
    assert wrong == []


def test_no_chinese_message_has_a_blank_between_two_chinese_words() -> None:
    apart = []
    for key, message in load_catalogue("zh").items():
        for text in find_texts(message):
            names = {name for _, name, _, _ in Formatter().parse(text) if name}
            said = fill_counts(text, {name: "7" if name == "count" else "龥" for name in names})
            if re.search("[一-鿿] [一-鿿]", said):
                apart.append(f"{key}: {said}")
    assert apart == []


def test_chinese_has_no_plural() -> None:
    forms = [
        key
        for key, message in load_catalogue("zh").items()
        for text in find_texts(message)
        if any(find_forms(spec or "") for _, _, spec, _ in Formatter().parse(text))
    ]
    assert forms == []
    assert [
        key for key, message in load_catalogue("zh").items() if isinstance(message, dict) and "one" in message
    ] == []


def test_plural_follows_the_language() -> None:
    assert translate("en", "devices.count", count=1) == "1 device"
    assert translate("en", "devices.count", count=0) == "0 devices"
    assert translate("en", "devices.count", count="1") == "1 device"
    assert translate("en", "devices.count", count=1_204) == "1,204 devices"
    assert translate("en", "firmware.proof", devices=1, count=2) == "1 device reports 2 versions."
    assert translate("zh", "devices.count", count=1) == "1 台设备"


def test_missing_parameter_and_message_are_broken_promises() -> None:
    with pytest.raises(KeyError):
        translate("en", "devices.count_nothing", count=1)
    with pytest.raises(KeyError):
        translate("en", "ago.past", other=1)


def test_unknown_code_is_shown_as_it_is() -> None:
    assert find_name("zh", "state", "SOMETHING_NEW") == "SOMETHING_NEW"
    assert find_name("zh", "outcome", None) == ""


@pytest.mark.parametrize(
    ("user", "cookie", "header", "wanted"),
    [
        ("zh", None, "en", "zh"),
        ("zh", "en", "zh", "en"),
        ("", "xx", "fr-FR, zh-CN;q=0.8, en;q=0.7", "zh"),
        ("", None, "en;q=0.2, zh;q=0.9", "zh"),
        ("", None, "zh;q=0, en;q=0.1", "en"),
        ("", None, "fr;q=nonsense", "en"),
        ("", None, None, "en"),
    ],
)
def test_language_is_the_persons_then_the_browsers(
    user: str, cookie: str | None, header: str | None, wanted: str
) -> None:
    assert choose_language(user, cookie, header) == wanted
