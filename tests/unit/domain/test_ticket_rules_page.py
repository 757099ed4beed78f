"""The page of the ticket rules names every reason and guard, with the numbers of the code."""

from pathlib import Path

from domain.capa import CapaGuard, CapaTrigger
from domain.capa_effectiveness import VerdictReason
from domain.profile import TicketPolicy
from domain.tickets import TicketReason
from domain.work_order import Guard

REFERENCE = Path(__file__).parents[3] / "docs" / "reference"
PAGE = (REFERENCE / "ticket-rules.md").read_text("utf-8")
CAPA_PAGE = (REFERENCE / "service" / "capa.md").read_text("utf-8")


def test_every_name_that_people_see_is_explained() -> None:
    names = {*TicketReason, *Guard, *CapaTrigger} - {CapaTrigger.COHORT}
    assert [name for name in sorted(names) if f"`{name}`" not in PAGE] == []
    assert [name for name in [*CapaGuard, *VerdictReason] if f"`{name}`" not in CAPA_PAGE] == []


def test_every_number_of_the_policy_is_there_with_its_default() -> None:
    policy = TicketPolicy()
    fields = [name for name in TicketPolicy.__dataclass_fields__ if f"`{name}`" not in PAGE]
    assert fields == []
    assert f"(`minor_episodes`) of the device and fault group in {policy.minor_window_h:.0f} hours" in PAGE
    for name in ("late_after_min", "maintenance_timeout_h", "gateway_devices", "storm_devices", "storm_window_min"):
        assert f"`{name}` ({getattr(policy, name):g})" in PAGE or f"`{name}`, {getattr(policy, name):g})" in PAGE
