"""Silence counts only while somebody listened."""

from dataclasses import replace

from ingest.listening import AWAY_US, BEHIND_US, Listening
from ingest.mqtt_source import SourceState

S = 1_000_000
UP = SourceState(True, 1, 0, 0, None, "")


def test_listening_goes_on_from_the_first_look_at_a_connection_that_keeps_up() -> None:
    listening = Listening()
    assert listening.note(replace(UP, connected=False), 0) is None
    assert listening.note(UP, 5 * S) == 5 * S
    assert listening.note(replace(UP, oldest_us=9 * S), 10 * S) == 5 * S
    assert listening.note(replace(UP, oldest_us=9 * S), 9 * S + BEHIND_US + 1) is None
    assert listening.note(UP, 16 * S) == 16 * S


def test_a_new_connection_begins_anew_although_no_look_fell_into_the_gap() -> None:
    listening = Listening()
    listening.note(UP, 0)
    assert listening.note(UP, 5 * S) == 0
    assert listening.note(replace(UP, connections=2), 10 * S) == 10 * S


def test_who_did_not_look_for_long_or_whose_clock_was_set_begins_anew() -> None:
    listening = Listening()
    listening.note(UP, 0)
    assert listening.note(UP, AWAY_US + 1) == AWAY_US + 1
    assert listening.note(UP, 10 * S) == 10 * S
