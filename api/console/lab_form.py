"""The form of the lab: what it asks for, what was typed, and why it cannot be run."""

from collections.abc import Mapping, Sequence

from api.console.acts import Field
from api.console.forms import NOTHING, Typed
from api.console.monitor_names import name_monitor
from api.console.page import View
from api.shapes.lab import NewLabRun
from domain.lab import LAB_FAULTS, LAB_SENSORS, LabRefusal, LabRefusalCode
from domain.profile import Profile
from domain.threshold_proposal import ProposalState
from store.models import load_models
from store.pool import Connection
from store.threshold_proposals import load_threshold_proposals

ACT = "lab"
# What a first look takes some seconds for.
DEFAULTS: Mapping[str, str] = {
    "what": "INF-200/motor_wear",
    "profile": "",
    "devices": "20",
    "days": "30",
    "rate": "20",
    "span_h": "",
    "sensor": "",
    "seed": "1",
    "seeds": "1",
}
OPEN_PROPOSALS = (ProposalState.PROPOSED, ProposalState.BACKTESTED, ProposalState.ENDORSED)
SHOWN_AT = {"model": "what", "fault": "what", "proposal": "profile"}  # a field of the API by that of the form
LISTED = 50


def find_fields(view: View, conn: Connection, profiles: Mapping[str, Profile], typed: Typed = NOTHING) -> list[Field]:
    """The fields, with what was typed or what a run was asked for; only models that are here and can be simulated."""
    t, kept, wrong = view.t, {**DEFAULTS, **typed.values}, typed.wrong
    models = [model for model in LAB_FAULTS if model in profiles]
    faults = [
        (f"{model}/{fault.key}", t("lab.model_fault", model=model, fault=view.name("lab_fault", fault.key)))
        for model in models
        for fault in LAB_FAULTS[model]
    ]
    sensors = dict.fromkeys(key for model in models for key in LAB_SENSORS[model])

    def number(name: str, step: str = "1", *, required: bool = True) -> Field:
        why, said = t(f"lab.why_{name}"), wrong.get(name, "")
        return Field(name, t(f"lab.{name}"), "number", kept[name], required=required, why=why, wrong=said, step=step)

    return [
        Field("what", t("lab.what"), "select", kept["what"], tuple(faults), wrong=wrong.get("what", "")),
        Field(
            "profile",
            t("lab.profile"),
            "select",
            kept["profile"],
            (("", t("lab.profile_live")), *_find_proposals(view, conn, models, profiles)),
            required=False,
            wrong=wrong.get("profile", ""),
        ),
        number("devices"),
        number("days"),
        number("rate", "any"),
        number("span_h", "any", required=False),
        Field(
            "sensor",
            t("lab.sensor"),
            "select",
            kept["sensor"],
            (("", t("lab.sensor_any")), *((key, _name_sensor(view, profiles, models, key)) for key in sensors)),
            required=False,
            why=t("lab.why_sensor"),
            wrong=wrong.get("sensor", ""),
        ),
        number("seed"),
        number("seeds"),
    ]


def _find_proposals(
    view: View, conn: Connection, models: Sequence[str], profiles: Mapping[str, Profile]
) -> list[tuple[str, str]]:
    """Thresholds and profiles that wait for a decision, by code."""
    states = [state.value for state in OPEN_PROPOSALS]
    found = [
        (
            p.code,
            view.t(
                "lab.profile_of_proposal",
                code=p.code,
                model=p.model,
                monitor=name_monitor(view, profiles.get(p.model), p.monitor),
            ),
        )
        for p in load_threshold_proposals(conn, states=states, limit=LISTED)
        if p.model in models
    ]
    drafts = load_models(conn, limit=LISTED)
    found += [
        (m.code, view.t("lab.profile_of_draft", code=m.code, model=m.model))
        for m in drafts
        if m.kind == "profile" and m.model in models and m.state in ("DRAFT", "SHADOW")
    ]
    return found


def _name_sensor(view: View, profiles: Mapping[str, Profile], models: Sequence[str], key: str) -> str:
    sensors = [sensor for model in models if (sensor := profiles[model].find_sensor(key)) is not None]
    if not sensors:
        return key
    return view.say(sensors[0].label)


def read_form(view: View, sent: Mapping[str, str]) -> tuple[NewLabRun | None, dict[str, str]]:
    """What is asked for; or None, and of each field that is no number what is the matter."""
    model, _, fault = sent.get("what", "").partition("/")
    numbers: dict[str, float | None] = {}
    wrong: dict[str, str] = {}
    for name, decimals in (("devices", 0), ("days", 0), ("rate", 3), ("span_h", 3), ("seed", 0), ("seeds", 0)):
        text = sent.get(name, "").strip()
        if name == "span_h" and not text:
            numbers[name] = None
            continue
        value = _read_number(text)
        if value is None or (not decimals and value != int(value)):
            wrong[name] = view.t("lab.whole_number" if not decimals else "lab.a_number")
        else:
            numbers[name] = value
    if wrong:
        return None, wrong
    rate = numbers["rate"]
    assert rate is not None
    return NewLabRun(
        model=model[:200],
        fault=fault[:200],
        devices=_whole(numbers["devices"]),
        days=_whole(numbers["days"]),
        seed=_whole(numbers["seed"]),
        seeds=_whole(numbers["seeds"]),
        rate=rate / 100.0,
        span_h=numbers["span_h"],
        sensor=sent.get("sensor", "")[:200] or None,
        proposal=sent.get("profile", "")[:200] or None,
    ), {}


def _read_number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if abs(value) < 2**31 else None


def _whole(value: float | None) -> int:
    assert value is not None
    return int(value)


def name_refusals(view: View, refusals: Sequence[LabRefusal]) -> dict[str, str]:
    """The sentences of the form's fields."""
    return {SHOWN_AT.get(r.field, r.field): _name_refusal(view, r) for r in refusals}


def _name_refusal(view: View, refusal: LabRefusal) -> str:
    params = dict(refusal.params)
    if refusal.field == "rate" and refusal.code is LabRefusalCode.OUT_OF_RANGE:
        params = {"low": "0.1", "high": "100"}
    if "faults" in params:
        params["faults"] = view.t("list.comma").join(view.name("lab_fault", f) for f in params["faults"].split(", "))
    return view.t(f"lab_refusal.{refusal.code.value}", **params)


def describe_request(request: Mapping[str, object], proposal: str | None) -> dict[str, str]:
    """The form's values of a run that was asked for before: the same again, or nearly."""
    rate = request.get("rate")
    values = {
        "what": f"{request['model']}/{request['fault']}",
        "profile": proposal or "",
        "rate": f"{100.0 * rate:.6g}" if isinstance(rate, (int, float)) else DEFAULTS["rate"],
        "sensor": str(request.get("sensor") or ""),
        "span_h": "" if request.get("span_h") is None else f"{request['span_h']:.6g}",
    }
    return values | {name: str(request[name]) for name in ("devices", "days", "seed", "seeds")}
