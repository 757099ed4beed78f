"""All that the ticket rules look at for one batch, loaded by a few queries; `domain.working_set` keeps it true."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from domain.breach import BreachKind, BreachState, Severity, TransitionKind
from domain.errors import ForewarnError
from domain.profile import TicketPolicy
from domain.tickets import UndecidedTransition
from domain.working_set import WorkingSet
from store.fault_locks import lock_faults
from store.pool import Connection
from store.triage_context import (
    count_episodes,
    have_moved,
    load_current_shelvings,
    load_gateway_offline,
    load_last_closed_orders,
    load_links,
    load_site_breaches,
    load_survivors,
    lock_open_orders,
)

DEFAULT_POLICY = TicketPolicy()


class DeviceMovedError(ForewarnError):
    """A device of the batch got another life-cycle or site since the batch was loaded: it has to be loaded again."""


def load_working_set(
    conn: Connection,
    transitions: Sequence[UndecidedTransition],
    policies: Mapping[int, TicketPolicy],
    now: datetime,
) -> WorkingSet:
    """The working set of these transitions. Their open orders are locked until the caller's transaction ends.

    Raises
    ------
    DeviceMovedError
        What the transitions say of their devices is not so any more.
    """
    loaded = WorkingSet()
    keys = {(t.device_id, t.fault_group) for t in transitions}
    breach_ids = list({t.breach_id for t in transitions})
    gateway_ids = _distinct(t.gateway_id for t in transitions if t.breach_kind is BreachKind.OFFLINE)
    severe = [t for t in transitions if t.severity.rank >= Severity.MAJOR.rank and t.kind is not TransitionKind.CLEARED]
    site_ids = _distinct(t.site_id for t in severe)
    lock_faults(conn, {t.device_id for t in transitions})
    # Who decommissions a device or gives it to another owner holds that lock: no order is opened behind their back.
    if have_moved(conn, {(t.device_id, t.lifecycle, t.site_id) for t in transitions}):
        raise DeviceMovedError("a device of the batch has moved")
    for order in lock_open_orders(conn, keys, breach_ids, gateway_ids, site_ids):
        loaded.add_order(order)
    for key, order_id in load_survivors(conn, keys):
        if order_id in loaded.orders:
            loaded.add_key(key, order_id)
    for order_id, breach_id, is_active in load_links(conn, list(loaded.orders), breach_ids):
        loaded.link(order_id, breach_id, is_active=is_active)
    loaded.closed = load_last_closed_orders(conn, keys)
    loaded.episodes = count_episodes(conn, _find_episode_windows(transitions, policies))
    for shelving in load_current_shelvings(conn, list({t.device_id for t in transitions}), now):
        loaded.shelvings[shelving.device_id].append(shelving)
    for gateway_id, device_id, breach_id in load_gateway_offline(conn, gateway_ids):
        loaded.gateway_offline[gateway_id][device_id] = breach_id
    if severe:
        window = max(find_policy(t, policies).storm_window_min for t in severe)
        since = min(t.at for t in severe) - timedelta(minutes=window)
        until = max(t.at for t in severe)
        for site_id, raised_at, device_id, breach_id, is_active in load_site_breaches(conn, site_ids, since, until):
            loaded.site_times[site_id].append(raised_at)
            loaded.site_breaches[site_id].append((device_id, breach_id, is_active))
    return loaded


def find_policy(transition: UndecidedTransition, policies: Mapping[int, TicketPolicy]) -> TicketPolicy:
    """The ticket policy of the transition's device model."""
    return policies.get(transition.device_model_id, DEFAULT_POLICY)


def is_still_active(transition: UndecidedTransition) -> bool:
    """Whether the breach goes on as far as the store knows."""
    return transition.breach_state is BreachState.ACTIVE


def _find_episode_windows(
    transitions: Sequence[UndecidedTransition], policies: Mapping[int, TicketPolicy]
) -> list[tuple[int, int, str, datetime, datetime]]:
    return [
        (t.id, t.device_id, t.fault_group, t.at - timedelta(hours=find_policy(t, policies).minor_window_h), t.at)
        for t in transitions
        if t.severity is Severity.MINOR and t.kind is not TransitionKind.CLEARED
    ]


def _distinct(ids: Iterable[int | None]) -> list[int]:
    return sorted({i for i in ids if i is not None})
