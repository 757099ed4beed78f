"""Monitors of presence and of the device's own alarms: what is noticed by its absence, in the receiver's time.

Staleness (no reading of a series for `window_s`), offline (status or will, for `duration_s`) and device codes. They
are judged by reports as these come and by `tick`, which is only called when no block is waiting: a backlog is not
silence. A breach of theirs is named after what it began with (last reading, status, event), so that two programs that
notice the same silence name one breach.
"""

from collections.abc import Iterable, KeysView, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from anomaly.bank import MonitorSlot
from anomaly.ticket_params import describe_ticket, label_of
from domain.breach import BreachKind, BreachTransition, Severity, TransitionKind, breach_id_of
from domain.clock import from_micros
from domain.connectivity import ConnectionFacts, Sighting, Word, is_standing_offline, note_readings, note_word
from domain.profile import MonitorRule
from domain.report import ConnectionState, EventReport, StatusReport
from domain.sentences import duration

LEAST_QUIET_S = 300.0  # a device code clears when it was not repeated for at least this long
PRESENCE_RULES = (MonitorRule.STALENESS, MonitorRule.OFFLINE, MonitorRule.DEVICE_CODE)


@dataclass(frozen=True, slots=True)
class OpenBreach:
    """An active breach as the database knows it."""

    device_id: int
    series_id: int | None
    monitor: str
    kind: BreachKind
    profile_version: int
    severity: Severity
    fault_group: str
    first_seen_us: int
    last_seen_us: int
    count: int
    peak: float
    params: dict[str, Any]


@dataclass(slots=True)
class _Episode:
    first_us: int
    last_us: int  # receiver's time
    count: int
    severity: Severity
    params: dict[str, Any] = field(default_factory=dict)


class PresenceWatch:
    """The presence monitors of one shard and what is open of them."""

    def __init__(self, slots: Sequence[MonitorSlot]) -> None:
        self._slots = [s for s in slots if s.monitor.rule in PRESENCE_RULES]
        self._open: dict[int, _Episode] = {}
        self._gone: dict[int, ConnectionFacts] = {}  # by device: of those that were said to be offline
        self._of_device: dict[int, list[int]] = {}
        self._stale: list[tuple[int, int, int]] = []  # slot, series id, window in microseconds
        for number, slot in enumerate(self._slots):
            self._of_device.setdefault(slot.device.id, []).append(number)
            if slot.monitor.rule is MonitorRule.STALENESS:
                self._stale.append((number, slot.series_ids[0], round((slot.monitor.window_s or 600.0) * 1e6)))

    @property
    def stale_slots(self) -> list[tuple[int, int, int]]:
        """(slot, series id, window in microseconds) of every staleness monitor."""
        return self._stale

    @property
    def open_slots(self) -> KeysView[int]:
        """The slots with an open breach."""
        return self._open.keys()

    def state_to_json(self) -> dict[str, Any]:
        """What reports said so far and the database does not know."""
        return {"gone": [[device, asdict(facts)] for device, facts in sorted(self._gone.items())]}

    def adopt_json(self, state: dict[str, Any]) -> None:
        """Takes over what `state_to_json` gave; that of an older version tells no more than since when a device is
        gone."""
        self._gone = {int(device): _facts_from_json(facts) for device, facts in state.get("gone", ())}
        for device, since_us in state.get("offline_us", ()):
            word = Word(ConnectionState.OFFLINE, int(since_us), int(since_us))
            self._gone.setdefault(int(device), ConnectionFacts(word=word))

    def adopt_open(self, breaches: Iterable[OpenBreach]) -> None:
        """Takes the database's word for what is open."""
        numbers = {(s.device.id, s.breach_series_id, s.monitor.key): n for n, s in enumerate(self._slots)}
        self._open = {}
        for b in breaches:
            number = numbers.get((b.device_id, b.series_id, b.monitor))
            if number is not None:
                self._open[number] = _Episode(b.first_seen_us, b.last_seen_us, b.count, b.severity, dict(b.params))

    def hear_status(self, report: StatusReport, last: Sighting | None, received_us: int) -> list[BreachTransition]:
        """Remembers that a device went, or clears what its absence opened.

        Parameters
        ----------
        last
            The device's newest readings before.
        """
        word = Word(report.state, report.observed_us, report.received_us)
        gone = self._gone.get(report.device_id)
        if gone is not None:
            facts = note_word(gone, word)
            if facts.word is not None and facts.word.state is ConnectionState.ONLINE:
                return self._welcome(report.device_id, report.observed_us, received_us)
        elif report.state is ConnectionState.OFFLINE:
            self._gone[report.device_id] = note_word(ConnectionFacts(last=last), word)
        return []

    def hear_readings(self, device: int, seen: Sighting) -> list[BreachTransition]:
        """Clears the offline breaches of a device whose readings outlive the word that it went."""
        gone = self._gone.get(device)
        if gone is None:
            return []
        self._gone[device] = facts = note_readings(gone, seen)
        return [] if is_standing_offline(facts) else self._welcome(device, seen.observed_us, seen.received_us)

    def _welcome(self, device: int, observed_us: int, received_us: int) -> list[BreachTransition]:
        since_us = _since_us(self._gone.pop(device))
        # A clock that is slow would have it end before it began.
        at_us = observed_us if observed_us > since_us else max(received_us, since_us)
        return [
            self._clear(number, "online_again", at_us, received_us)
            for number in self._of_device.get(device, ())
            if self._slots[number].monitor.rule is MonitorRule.OFFLINE and number in self._open
        ]

    def is_waiting_for(self, device_id: int) -> bool:
        """True while the device is known as offline."""
        return device_id in self._gone

    @property
    def has_offline(self) -> bool:
        """True while any device is known as offline."""
        return bool(self._gone)

    def hear_series(self, slot: int, observed_us: int, received_us: int) -> BreachTransition | None:
        """Clears the staleness breach of a series that reports again."""
        if slot not in self._open:
            return None
        return self._clear(slot, "reporting_again", max(observed_us, self._open[slot].first_us), received_us)

    def hear_event(self, report: EventReport, received_us: int) -> list[BreachTransition]:
        """Raises, counts or escalates the breaches of the device's own alarm."""
        out: list[BreachTransition] = []
        for number in self._of_device.get(report.device_id, ()):
            monitor = self._slots[number].monitor
            if monitor.rule is not MonitorRule.DEVICE_CODE:
                continue
            if report.code not in monitor.codes if monitor.codes else report.severity.rank < monitor.severity.rank:
                continue
            step = self._note_code(number, report, received_us)
            if step is not None:
                out.append(step)
        return out

    def _note_code(self, number: int, report: EventReport, received_us: int) -> BreachTransition | None:
        slot = self._slots[number]
        severity = max(slot.monitor.severity, report.severity, key=lambda s: s.rank)
        said = {"serial": slot.device.serial, "code": report.code, "message": report.message or report.code}
        episode = self._open.get(number)
        if episode is not None:
            episode.count += 1
            episode.last_us = max(episode.last_us, received_us)
            if severity.rank <= episode.severity.rank:
                return None
            episode.severity, episode.params = severity, said
            at_us = max(report.observed_us, episode.first_us)
            return self._make(number, TransitionKind.ESCALATED, "severity_rose", episode, at_us, received_us)
        episode = _Episode(report.observed_us, received_us, 1, severity, said)
        self._open[number] = episode
        return self._make(number, TransitionKind.RAISED, "device_code", episode, report.observed_us, received_us)

    def raise_stale(self, slot: int, last_received_us: int, now_us: int) -> BreachTransition | None:
        """Raises the staleness breach of a slot whose series was last heard of at `last_received_us`."""
        if slot in self._open:
            return None
        return self._raise(slot, "staleness", last_received_us, now_us)

    def tick(self, now_us: int, watching_us: int) -> list[BreachTransition]:
        """What follows from the passing of time alone, at `now_us` of the receiver: offline raised, codes cleared.

        Only time since `watching_us` counts, from when on nothing that arrived could have been missed.
        """
        out: list[BreachTransition] = []
        for device, facts in list(self._gone.items()):
            since = _since_us(facts)
            for number in self._of_device.get(device, ()):
                monitor = self._slots[number].monitor
                due = now_us - max(since, watching_us) >= monitor.duration_s * 1e6
                if monitor.rule is MonitorRule.OFFLINE and due and number not in self._open:
                    out.append(self._raise(number, "offline", since, now_us))
        for number, episode in list(self._open.items()):
            monitor = self._slots[number].monitor
            quiet_us = max(monitor.clear_duration_s, LEAST_QUIET_S) * 1e6
            if monitor.rule is MonitorRule.DEVICE_CODE and now_us - max(episode.last_us, watching_us) >= quiet_us:
                out.append(self._clear(number, "code_quiet", now_us, now_us, (now_us - episode.last_us) / 1e6))
        return out

    def _raise(self, number: int, reason: str, since_us: int, now_us: int) -> BreachTransition:
        slot = self._slots[number]
        params: dict[str, Any] = {"serial": slot.device.serial, "duration": duration((now_us - since_us) / 1e6)}
        if slot.sensors:
            params["label"] = label_of(slot.sensors[0])
        episode = _Episode(since_us, now_us, 1, slot.monitor.severity, params)
        self._open[number] = episode
        return self._make(number, TransitionKind.RAISED, reason, episode, now_us, now_us)

    def _clear(
        self, number: int, reason: str, at_us: int, received_us: int, lasted_s: float | None = None
    ) -> BreachTransition:
        episode = self._open.pop(number)
        lasted_s = (at_us - episode.first_us) / 1e6 if lasted_s is None else lasted_s
        episode.params = episode.params | {"duration": duration(lasted_s)}
        return self._make(number, TransitionKind.CLEARED, reason, episode, at_us, received_us)

    def _make(
        self, number: int, kind: TransitionKind, reason: str, episode: _Episode, at_us: int, received_us: int
    ) -> BreachTransition:
        slot = self._slots[number]
        more: dict[str, Any] = {}
        if kind is not TransitionKind.CLEARED:
            is_own = slot.monitor.rule is MonitorRule.DEVICE_CODE
            more = describe_ticket(slot, episode.first_us) | {"sure": {"kind": "reported" if is_own else "measured"}}
        return BreachTransition(
            breach_id=breach_id_of(slot.device.id, slot.monitor.key, slot.breach_series_id, episode.first_us),
            kind=kind,
            device_id=slot.device.id,
            series_id=slot.breach_series_id,
            monitor=slot.monitor.key,
            profile_version=slot.profile.version,
            breach_kind=slot.monitor.kind,
            severity=episode.severity,
            fault_group=slot.monitor.fault_group,
            first_seen=from_micros(episode.first_us),
            at=from_micros(at_us),
            received_at=from_micros(received_us),
            count=episode.count,
            peak=float(episode.count),
            score=float(episode.count),
            reason_code=reason,
            params={"monitor": slot.monitor.key} | episode.params | more,
        )


def _since_us(facts: ConnectionFacts) -> int:
    assert facts.word is not None
    return facts.word.observed_us


def _facts_from_json(document: dict[str, Any]) -> ConnectionFacts:
    word, run, last = document["word"], document["run"], document["last"]
    return ConnectionFacts(
        word=Word(**word | {"state": ConnectionState(word["state"])}),
        before_us=document["before_us"],
        lag_us=document["lag_us"],
        run=None if run is None else Sighting(**run),
        last=None if last is None else Sighting(**last),
    )
