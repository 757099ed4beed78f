"""Which monitors a model bears on, and which models bear on a monitor, as links both ways."""

from collections.abc import Sequence

from api.console.monitor_names import name_monitor
from api.console.page import View
from domain.model_record import ModelKind, ModelState, find_primed_monitors
from domain.profile import Profile
from domain.profile_decision import find_decided
from domain.profile_json import profile_from_json
from store.models import ModelRow, load_models
from store.pool import Connection
from store.profiles import load_profile

STANDING = tuple(state.value for state in (ModelState.LIVE, ModelState.SHADOW, ModelState.DRAFT))
MOST_MODELS = 200
Link = tuple[str, str, str]  # address, name, what stands beside it


def find_monitor_links(view: View, conn: Connection, row: ModelRow, current: Profile | None) -> list[Link]:
    """The monitors that the model bears on; one that the profile has no more has no page, and is named alone."""
    return [
        (
            f"/monitors/{row.model}/{key}" if current is not None and current.find_monitor(key) is not None else "",
            name_monitor(view, current, key),
            key,
        )
        for key in load_monitors_of(conn, row)
    ]


def find_model_links(view: View, conn: Connection, model: str, monitor: str) -> list[Link]:
    """The models of the device model that bear on the monitor: the live ones first, none that are retired."""
    rows = load_models(conn, model=model, states=STANDING, limit=MOST_MODELS)
    own = sorted((row for row in rows if monitor in load_monitors_of(conn, row)), key=lambda r: STANDING.index(r.state))
    return [(f"/models/{row.code}", row.code, _say_kind(view, row)) for row in own]


def _say_kind(view: View, row: ModelRow) -> str:
    parts = (view.name("model_kind", row.kind), row.firmware, view.name("model_state", row.state))
    return " · ".join(part for part in parts if part)


def load_monitors_of(conn: Connection, row: ModelRow) -> Sequence[str]:
    """The keys of these monitors: that a proposed profile changes, or from which a fleet prior starts new devices."""
    if row.kind != ModelKind.PROFILE:
        return find_primed_monitors(row.description)
    monitor = row.provenance.get("monitor")
    if isinstance(monitor, str):
        return (monitor,)
    before = load_profile(conn, row.model, row.description.get("base_version"))
    proposed = profile_from_json(row.description["profile"])
    return [] if before is None else [one.monitor for one in find_decided(row.code, before, proposed)]
