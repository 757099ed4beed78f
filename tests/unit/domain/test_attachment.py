"""What a file is, by its bytes alone; under which name it goes; when an order takes another one."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.attachment import (
    MOST_FILES,
    AttachmentGuard,
    ContentSniffer,
    MediaType,
    find_attachment_refusal,
    find_declared_refusal,
    find_safe_name,
)
from domain.refusal import RecordRefusal
from domain.work_order import WorkOrderState

NOW = datetime(2026, 11, 22, tzinfo=UTC)
G = AttachmentGuard


def sniff(content: bytes, name: str = "x", step: int = 7) -> MediaType | str:
    sniffer = ContentSniffer(name)
    for place in range(0, len(content), step):
        sniffer.feed(content[place : place + step])
    found = sniffer.find_media_type()
    return found.guard if isinstance(found, RecordRefusal) else found


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"\xff\xd8\xff\xe0\x00\x10JFIF", MediaType.JPEG),
        (b"\x89PNG\r\n\x1a\n....", MediaType.PNG),
        (b"RIFF\x10\x00\x00\x00WEBPVP8 ", MediaType.WEBP),
        (b"RIFF\x10\x00\x00\x00WAVEfmt ", G.UNKNOWN_FORMAT),
        (b"%PDF-1.7\nwhatever", MediaType.PDF),
        (b"\x00\x00\x00\x18ftypmp42\x00\x00", MediaType.MP4),
        (b"\x00\x00\x00\x18ftypheic\x00\x00", G.UNKNOWN_FORMAT),
        (b"\x00\x00\x00\x14ftypqt  \x00\x00", G.UNKNOWN_FORMAT),
        (b"GIF89a", MediaType.TEXT),  # seven letters are a text, and are served as one
        (b"GIF89a\x01\x00\x01\x00", G.UNKNOWN_FORMAT),
        ("10:00 Gerät zurückgesetzt\r\n\t流量 0.9\n".encode(), MediaType.TEXT),
        (b"", G.EMPTY_FILE),
        (b"  \r\n<html>", G.MARKUP),
        (b"\xef\xbb\xbf<?xml version='1.0'?><svg/>", G.MARKUP),
        ("<html>".encode("utf-16"), G.UNKNOWN_FORMAT),
        (b"a\x00b", G.UNKNOWN_FORMAT),
        (b"\x1b[31mred", G.UNKNOWN_FORMAT),
        (b"\x7fELF\x02\x01", G.UNKNOWN_FORMAT),
    ],
)
def test_content_tells_what_a_file_is(content: bytes, found: MediaType | AttachmentGuard) -> None:
    assert {sniff(content, step=step) for step in (1, 3, 1000)} == {found}


def test_a_table_is_told_from_a_text_by_its_name() -> None:
    assert sniff(b"a,b\n1,2\n", "flow.CSV") is MediaType.CSV
    assert sniff(b"a,b\n1,2\n", "flow.txt") is MediaType.TEXT
    assert sniff(b"\x89PNG\r\n\x1a\n", "flow.csv") is MediaType.PNG


@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(st.binary(max_size=200), st.integers(1, 50))
def test_how_it_comes_in_pieces_changes_nothing(content: bytes, step: int) -> None:
    assert sniff(content, step=step) == sniff(content, step=1000)


@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(st.text(max_size=200))
def test_no_markup_gets_in_as_text(text: str) -> None:
    content = (" \n<" + text).encode(errors="ignore")
    assert sniff(content) in (G.MARKUP, G.UNKNOWN_FORMAT)


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("leak.png", "leak.png"),
        ("LEAK.PNG", "LEAK.png"),
        ("C:\\temp\\leak.png", "leak.png"),
        ("../../etc/passwd", "passwd.png"),
        ("report.pdf", "report.pdf.png"),
        ("evil\u202egnp.exe", "evilgnp.exe.png"),
        ("a\x00b\r\nc.png", "abc.png"),
        ('a"b;c|d.png', "a_b;c_d.png"),
        (" .png", "png.png"),
        ("...", "file.png"),
        ("泵 渗漏.png", "泵 渗漏.png"),
        ("x" * 300 + ".png", "x" * 120 + ".png"),
    ],
)
def test_a_name_is_a_name_and_nothing_else(name: str, safe: str) -> None:
    assert find_safe_name(name, MediaType.PNG) == safe


@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(st.text(max_size=100), st.sampled_from(MediaType))
def test_every_name_is_safe(name: str, media: MediaType) -> None:
    safe = find_safe_name(name, media)
    assert not set(safe) & set('/\\\x00\r\n"<>|:*?')
    assert not safe.startswith(".")
    assert find_safe_name(safe, media) == safe


def test_what_the_sender_calls_it_must_not_differ() -> None:
    for declared in ("", "application/octet-stream", "image/png", "IMAGE/PNG; x=1"):
        assert find_declared_refusal(declared, MediaType.PNG) is None
    assert find_declared_refusal("text/plain; charset=utf-8", MediaType.CSV) is None
    refusal = find_declared_refusal("image/png", MediaType.PDF)
    assert refusal is not None
    assert refusal.guard is G.TYPE_DIFFERS


def test_when_an_order_takes_a_file() -> None:
    def refuse(state: WorkOrderState, files: int = 0, minutes: int = 0) -> object:
        refusal = find_attachment_refusal(state, files, NOW + timedelta(minutes=minutes), NOW)
        return None if refusal is None else refusal.guard

    for state in WorkOrderState:
        assert refuse(state) == (None if state.is_open else G.ORDER_OVER)
    assert refuse(WorkOrderState.NEW, MOST_FILES) is G.TOO_MANY_FILES
    assert refuse(WorkOrderState.NEW, MOST_FILES - 1, 5) is None
    assert refuse(WorkOrderState.NEW, 0, 6) is G.TIME_IN_FUTURE
