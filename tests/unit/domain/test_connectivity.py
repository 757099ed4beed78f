"""Connectivity: no offline and no online can be stuck, whatever was said, sent, kept back or repeated."""

import random

import pytest

from domain.connectivity import (
    LEAST_SILENCE_S,
    NOT_JUDGED,
    STEADY_US,
    USUAL_SILENCE_S,
    ConnectionFacts,
    Connectivity,
    ConnectivityReason,
    ConnectivityState,
    Sighting,
    Word,
    find_connectivity,
    find_silence_s,
    note_readings,
    note_word,
)
from domain.report import ConnectionState

S = 1_000_000
HOUR = 3_600 * S
SILENCE = 60 * S
NOW = 1_800_000_000 * S
ON, OFF = ConnectionState.ONLINE, ConnectionState.OFFLINE
UNKNOWN, ONLINE, STALE, OFFLINE = ConnectivityState


class Story:
    """A device whose clock is `behind` ours, and somebody who listens from the start."""

    def __init__(self, behind_us: int = 0) -> None:
        self.facts = ConnectionFacts()
        self.now = NOW
        self.behind = behind_us
        self.listening = NOW - 10 * HOUR
        self.present = NOT_JUDGED

    def wait(self, us: int) -> "Story":
        self.now += us
        return self

    def read(self, age_us: int = 0) -> "Story":
        self.facts = note_readings(self.facts, Sighting(self.now, self.now - age_us - self.behind))
        return self

    def live(self, times: int, every_us: int = S) -> "Story":
        for _ in range(times):
            self.wait(every_us).read()
        return self

    def say(self, state: ConnectionState, said_us: int | None = None, *, again: bool = False) -> "Story":
        self.facts = note_word(self.facts, Word(state, self.now if said_us is None else said_us, self.now, again))
        return self

    @property
    def answer(self) -> Connectivity:
        self.present = found = find_connectivity(self.facts, self.present, self.now, self.listening, SILENCE)
        assert find_connectivity(self.facts, found, self.now, self.listening, SILENCE) == found
        return found

    @property
    def state(self) -> ConnectivityState:
        return self.answer.state


def test_a_device_that_nobody_heard_of_is_unknown() -> None:
    assert Story().answer == Connectivity(UNKNOWN, None, ConnectivityReason.NEVER_HEARD)


@pytest.mark.parametrize("behind_us", [0, HOUR, -4 * 60 * S])
def test_readings_bring_a_device_back_whatever_its_clock_shows(behind_us: int) -> None:
    story = Story(behind_us).live(5).wait(20 * S).say(OFF)
    assert story.answer == Connectivity(OFFLINE, story.now, ConnectivityReason.SAID_OFFLINE)
    story.live(1)
    assert story.answer == Connectivity(ONLINE, story.now, ConnectivityReason.READINGS)


def test_readings_of_before_that_a_gateway_kept_back_bring_nobody_back() -> None:
    story = Story(HOUR).live(5).wait(20 * S).say(OFF)
    for age_us in (15 * S, 14 * S, 9 * S):
        story.wait(S).read(age_us)
    assert story.state is OFFLINE
    assert story.wait(SILENCE + S).state is OFFLINE


def test_a_clock_that_is_set_back_while_the_device_is_away_delays_its_return_by_a_minute_at_most() -> None:
    story = Story().live(5).say(OFF)
    story.behind = 5 * HOUR
    assert story.live(30).state is OFFLINE
    assert story.live(31).state is ONLINE


def test_a_backlog_that_is_emptied_quickly_is_no_sign_of_life_until_it_reaches_the_present() -> None:
    story = Story().say(OFF).wait(HOUR)
    for minutes in range(50, 2, -1):
        story.wait(2 * S).read(HOUR + minutes * 60 * S)
    assert story.state is OFFLINE
    assert story.live(2).state is ONLINE


def test_silence_makes_stale_and_a_word_of_before_offline() -> None:
    story = Story().live(3)
    heard = story.now
    assert story.wait(SILENCE).state is ONLINE
    assert story.wait(1).answer == Connectivity(STALE, heard, ConnectivityReason.SILENT)
    assert story.live(1).state is ONLINE
    assert Story().live(3).say(OFF).wait(5 * SILENCE).state is OFFLINE
    assert Story().say(ON).wait(SILENCE + 1).state is STALE


def test_silence_of_a_time_when_nobody_listened_is_none() -> None:
    story = Story().live(3).wait(HOUR)
    story.listening = story.now - S
    assert story.state is ONLINE
    assert story.wait(SILENCE).state is STALE


def test_a_retained_offline_that_comes_again_overrides_no_newer_online() -> None:
    story = Story().say(OFF).wait(S).say(ON).wait(10 * S).say(OFF, again=True)
    assert story.state is ONLINE
    assert story.wait(SILENCE).state is OFFLINE, "nothing was heard since: then it counts"
    assert Story().live(3).wait(S).say(OFF, again=True).live(1).state is ONLINE
    assert Story().say(OFF, again=True).state is OFFLINE, "all that is known of a device that nobody heard of"


def test_silence_that_was_found_lasts_until_something_is_heard_whoever_listens_since() -> None:
    story = Story().live(3).wait(HOUR)
    assert story.state is STALE
    story.listening = story.now
    assert story.state is STALE
    assert story.wait(S).say(OFF, again=True).state is OFFLINE
    assert story.live(1).state is ONLINE


def test_a_retained_online_of_a_device_that_is_gone_makes_it_not_online_again() -> None:
    story = Story().say(ON).live(3).wait(HOUR).say(ON, again=True)
    assert story.state is STALE


def test_catching_up_after_an_hour_flips_nobody() -> None:
    """Ingest was down; will, return and readings of that hour come within seconds, then the present."""
    story = Story().live(5).wait(HOUR)
    story.listening = story.now
    story.say(OFF)
    assert story.state is ONLINE, "a word this long after the last sign of life says nothing about when"
    for minute in range(55, 0, -1):
        story.wait(S // 10).read(minute * 60 * S)
        assert story.state is ONLINE
    assert story.live(3).state is ONLINE


def test_words_of_a_gateway_that_come_in_the_wrong_order_count_by_its_own_time() -> None:
    story = Story().live(3).say(ON, NOW - 5 * S).wait(S).say(OFF, NOW - 10 * S)
    assert story.state is ONLINE
    slow = Story().live(3).say(OFF).wait(S).say(ON, NOW - HOUR)  # a will has no time that could be compared
    assert slow.state is ONLINE


def test_readings_that_are_written_down_after_the_word_but_came_before_it_do_not_bring_back() -> None:
    story = Story(HOUR).live(2).wait(4 * S)
    seen = Sighting(story.now - S, story.now - S - HOUR)
    story.say(OFF)
    story.facts = note_readings(story.facts, seen)
    assert story.state is OFFLINE
    assert story.facts.before_us == story.now - S


def test_a_second_offline_leaves_the_first_as_it_is() -> None:
    story = Story().live(2).say(OFF)
    first = story.now
    assert story.wait(S).say(OFF).answer.since_us == first


@pytest.mark.parametrize("seed", range(200))
def test_nothing_is_stuck_after_any_sequence(seed: int) -> None:
    """Words (dated by clocks that are wrong, repeated, retained), readings (old, from buffers, by clocks that jump) and
    pauses in any order: a minute of readings ends in ONLINE, silence in STALE or OFFLINE."""
    chance = random.Random(seed)
    story = Story(chance.choice([0, 0, 90 * S, HOUR, -4 * 60 * S]))
    for _ in range(chance.randrange(40)):
        match chance.randrange(6):
            case 0:
                said = chance.choice([None, story.now - chance.randrange(HOUR), story.now + chance.randrange(300 * S)])
                story.say(chance.choice([ON, OFF]), said, again=chance.random() < 0.3)
            case 1:
                story.live(chance.randrange(1, 80), chance.choice([S, 5 * S]))
            case 2:
                for _ in range(chance.randrange(30)):
                    story.wait(chance.randrange(S)).read(chance.randrange(10 * HOUR))
            case 3:
                story.wait(chance.choice([S, 30 * S, SILENCE, HOUR]))
            case 4:
                story.behind = chance.choice([0, -200 * S, HOUR, 5 * HOUR])
            case 5:
                story.listening = story.now
        assert story.state in ConnectivityState
    ending = ConnectionFacts(), story.facts
    for facts in ending:
        story.facts = facts
        story.live(STEADY_US // S + 2)
        assert story.state is ONLINE, facts
        heard = story.now
        story.wait(SILENCE + HOUR)
        story.listening = min(story.listening, heard)
        assert story.state in (STALE, OFFLINE)
        if chance.random() < 0.5:
            story.say(OFF)
            assert story.state is OFFLINE


def test_silence_is_counted_in_intervals_of_the_quickest_sensor() -> None:
    assert find_silence_s([1.0, 60.0, None]) == LEAST_SILENCE_S
    assert find_silence_s([None, 300.0, 3600.0]) == 910.0
    assert find_silence_s([None]) == find_silence_s([]) == USUAL_SILENCE_S
