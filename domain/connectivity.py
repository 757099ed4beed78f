"""Whether a device is connected: from what it or its gateway said, from its readings, and from silence. Pure.

Three kinds of facts are reconciled, each as it came to us (receiver's time):

- a *word*: a status message or a will. "offline" stands until something outlives it, "online" is a sign of life;
- readings: every one is a sign of life when it comes. It outlives a standing "offline" when it was taken after it *by
  the device's own clock*: the word is placed on that clock by the lag (receipt minus device time) of the last reading
  before it, so that a clock which is an hour slow is judged as rightly as one which is right, and what a gateway kept
  back from before the word brings nobody back. Where that lag is unknown or the clock has jumped meanwhile, readings
  that go on for a minute at the pace of real time outlive the word, too: no "offline" can be stuck while readings come;
- silence, which counts only while somebody listened: no "online" can be stuck either.

A word that was retained, or sent again, or that comes long after the last sign of life (ingest was down, and reads what
the broker kept) says nothing about when it became true: it needs silence to count.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from domain.report import ConnectionState

SILENT_INTERVALS = 3.0
GRACE_S = 10.0
LEAST_SILENCE_S = 60.0
USUAL_SILENCE_S = 3_600.0  # where a profile does not say how often a device reports
STEADY_US = 60_000_000
PACE = 1.5  # device time per time of receipt beyond which readings come from a buffer
SLACK_US = 5_000_000  # of that pace: what one batch may hold


class ConnectivityState(StrEnum):
    """Values of `device.connectivity`."""

    UNKNOWN = "UNKNOWN"
    ONLINE = "ONLINE"
    STALE = "STALE"
    OFFLINE = "OFFLINE"


class ConnectivityReason(StrEnum):
    """Why a device counts as it does; the console has a sentence for each."""

    NEVER_HEARD = "never_heard"
    READINGS = "readings"
    SAID_ONLINE = "said_online"
    SAID_OFFLINE = "said_offline"
    SILENT = "silent"


@dataclass(frozen=True, slots=True)
class Word:
    """What a status or a will said. `observed_us` equals `received_us` where it had no time of its own."""

    state: ConnectionState
    observed_us: int
    received_us: int
    is_repeat: bool = False  # retained, or sent again

    @property
    def has_time(self) -> bool:
        """Whether the sender said when it became true."""
        return self.observed_us != self.received_us


@dataclass(frozen=True, slots=True)
class Sighting:
    """Readings that came: when, and what time the newest of them bears by the device's own clock."""

    received_us: int
    observed_us: int


@dataclass(frozen=True, slots=True)
class ConnectionFacts:
    """All that is kept of one device (`device_connection`); `note_word` and `note_readings` bring it forward."""

    word: Word | None = None  # the newest
    before_us: int | None = None  # the last sign of life before it was received
    lag_us: int | None = None  # of the last readings before it; what the device's clock is behind ours
    run: Sighting | None = None  # since when, after the word, readings come at the pace of real time
    last: Sighting | None = None  # the newest readings

    @property
    def heard_us(self) -> int | None:
        """When the last sign of life was received."""
        said = self.word.received_us if self.word is not None and self.word.state is ConnectionState.ONLINE else None
        seen = self.last.received_us if self.last is not None else None
        return max((us for us in (said, seen, self.before_us) if us is not None), default=None)


@dataclass(frozen=True, slots=True)
class Connectivity:
    """The answer: how it is, since when, and why."""

    state: ConnectivityState
    since_us: int | None
    reason: ConnectivityReason


NOT_JUDGED = Connectivity(ConnectivityState.UNKNOWN, None, ConnectivityReason.NEVER_HEARD)


def find_silence_s(intervals_s: Iterable[float | None]) -> float:
    """After how long without any sign of life a device is stale: some of its shortest intervals and a grace, at least a
    minute; an hour where none of its sensors says how often it reports."""
    shortest = min((s for s in intervals_s if s is not None), default=None)
    if shortest is None:
        return USUAL_SILENCE_S
    return max(LEAST_SILENCE_S, SILENT_INTERVALS * shortest + GRACE_S)


def note_word(facts: ConnectionFacts, word: Word) -> ConnectionFacts:
    """The facts after this word was received. Old news changes nothing: what repeats the state that is known, what is
    older by the sender's own time, and a second "offline" while one stands."""
    known = facts.word
    if known is not None:
        if word.has_time and known.has_time and word.observed_us < known.observed_us:
            return facts
        if word.state is known.state and (word.is_repeat or is_standing_offline(facts)):
            return facts
    last = facts.last
    return ConnectionFacts(
        word=word,
        before_us=facts.heard_us,
        lag_us=None if last is None else last.received_us - last.observed_us,
        run=None,
        last=last,
    )


def note_readings(facts: ConnectionFacts, seen: Sighting) -> ConnectionFacts:
    """The facts after these readings; the store does the same for many devices at once, see `store.connectivity`."""
    last, word = facts.last, facts.word
    if last is not None:
        newest = Sighting(max(last.received_us, seen.received_us), max(last.observed_us, seen.observed_us))
    else:
        newest = seen
    facts = replace(facts, last=newest)
    if word is None:
        return facts
    if seen.received_us < word.received_us:
        # Sightings are written down some seconds after they were made: this one came before the word after all.
        if facts.before_us is None or seen.received_us > facts.before_us:
            return replace(facts, before_us=seen.received_us, lag_us=seen.received_us - seen.observed_us)
        return facts
    run = facts.run
    if run is None or is_too_fast(run, newest):
        return replace(facts, run=newest)
    return facts


def is_too_fast(run: Sighting, newest: Sighting) -> bool:
    """Whether device time went on so much quicker than time that these readings come out of a buffer."""
    return newest.observed_us - run.observed_us > PACE * (newest.received_us - run.received_us) + SLACK_US


def is_standing_offline(facts: ConnectionFacts) -> bool:
    """Whether the newest word is "offline" and nothing has outlived it."""
    word, run, last = facts.word, facts.run, facts.last
    if word is None or word.state is not ConnectionState.OFFLINE:
        return False
    if run is None or last is None:
        return True
    said_us = min(word.observed_us, word.received_us - (facts.lag_us or 0))
    return not (last.observed_us > said_us or last.received_us - run.received_us >= STEADY_US)


def find_connectivity(
    facts: ConnectionFacts, present: Connectivity, now_us: int, listening_us: int, silence_us: int
) -> Connectivity:
    """What follows from the facts at `now_us`; asked again with its own answer it gives the same.

    Parameters
    ----------
    present
        The answer that stands: silence that was found once lasts until something is heard, whoever listens since.
    listening_us
        Since when nothing that a device sent could have been missed; `now_us` if silence must not count.
    silence_us
        See `find_silence_s`.
    """
    word, heard_us = facts.word, facts.heard_us
    if word is None and heard_us is None:
        return NOT_JUDGED
    last_us = heard_us if heard_us is not None else word.received_us if word is not None else now_us
    is_silent = now_us - max(last_us, listening_us) > silence_us
    if present.state in (ConnectivityState.STALE, ConnectivityState.OFFLINE) and present.since_us is not None:
        is_silent = is_silent or heard_us is None or heard_us <= present.since_us
    if word is not None and is_standing_offline(facts):
        before_us = facts.before_us
        is_news = before_us is None or (not word.is_repeat and word.received_us - before_us <= silence_us)
        if is_news or is_silent:
            since_us = min(word.observed_us, word.received_us)
            return Connectivity(ConnectivityState.OFFLINE, since_us, ConnectivityReason.SAID_OFFLINE)
    if is_silent:
        return Connectivity(ConnectivityState.STALE, last_us, ConnectivityReason.SILENT)
    if facts.last is not None and facts.last.received_us >= last_us:
        return Connectivity(ConnectivityState.ONLINE, last_us, ConnectivityReason.READINGS)
    return Connectivity(ConnectivityState.ONLINE, last_us, ConnectivityReason.SAID_ONLINE)
