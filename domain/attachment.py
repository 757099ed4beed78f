"""Attachments of a work order: which files are taken, by what they are and not by what they say they are. Pure.

Nothing is decoded here or anywhere else in the service: a picture of a billion pixels, or an archive that unpacks
without end, is bytes. What can carry a script for a browser (SVG, HTML, any XML) is not taken.
"""

import codecs
import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from domain.refusal import RecordRefusal
from domain.work_order import WorkOrderState

MOST_FILES = 200  # of one order
MOST_NAME = 120
HEAD = 64  # bytes that tell a format
CLOCK_TOLERANCE = timedelta(minutes=5)


class AttachmentKind(StrEnum):
    """What a file is for. Values stand in the database and never change."""

    PHOTO = "PHOTO"
    SERVICE_REPORT = "SERVICE_REPORT"
    TEST_REPORT = "TEST_REPORT"
    CERTIFICATE = "CERTIFICATE"
    DEVICE_LOG = "DEVICE_LOG"
    CUSTOMER_DOCUMENT = "CUSTOMER_DOCUMENT"
    OTHER = "OTHER"


class Visibility(StrEnum):
    """Who sees it. Values stand in the database and never change."""

    INTERNAL = "INTERNAL"  # the maker's people
    CUSTOMER = "CUSTOMER"  # the customer's as well


class MediaType(StrEnum):
    """The formats that are taken."""

    JPEG = "image/jpeg"
    PNG = "image/png"
    WEBP = "image/webp"
    PDF = "application/pdf"
    MP4 = "video/mp4"
    CSV = "text/csv"
    TEXT = "text/plain"

    @property
    def is_image(self) -> bool:
        """A browser may show it in a page; everything else is for saving."""
        return self in (MediaType.JPEG, MediaType.PNG, MediaType.WEBP)


class AttachmentGuard(StrEnum):
    """The rule that refused; a problem names it. Values never change."""

    ORDER_OVER = "order_over"
    TOO_MANY_FILES = "too_many_files"
    TIME_IN_FUTURE = "time_in_future"
    EMPTY_FILE = "empty_file"
    UNKNOWN_FORMAT = "unknown_format"
    MARKUP = "markup"
    TYPE_DIFFERS = "type_differs"
    HASH_DIFFERS = "hash_differs"


@dataclass(frozen=True, slots=True)
class Attachment:
    """One file of an order as stored, written once; its bytes stand under their hash."""

    id: int
    work_order: str  # code of the order that it was attached to: of a merged one, its own
    sha256: str
    kind: AttachmentKind
    media_type: MediaType
    visibility: Visibility
    size: int
    file_name: str
    note: str
    captured_at: datetime
    captured_by: str
    uploaded_at: datetime
    uploaded_by: str


# MP4 is a family: what technicians' phones write. QuickTime (`qt  `) and pictures (`heic`) of the family are not.
_MP4_BRANDS = frozenset(
    {b"isom", b"iso2", b"iso4", b"iso5", b"iso6", b"mp41", b"mp42", b"avc1", b"M4V ", b"3gp4", b"3gp5"}
)
# Control characters that no text has but tab, line feed, form feed and carriage return.
_CONTROLS = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f]")
_NOT_IN_NAMES = re.compile(r'[\\/:*?"<>|\x00-\x1f\x7f]')


class ContentSniffer:
    """Tells from its bytes, in the order in which they come, what a file is."""

    def __init__(self, file_name: str) -> None:
        self._is_csv = file_name.lower().endswith(".csv")
        self._head = b""
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")("strict")
        self._is_text = True
        self._opening = ""  # the first characters that are not white space

    def feed(self, chunk: bytes) -> None:
        """Looks at the next bytes."""
        if len(self._head) < HEAD:
            self._head += chunk[: HEAD - len(self._head)]
        if self._is_text:
            self._read_text(chunk, final=False)

    def find_media_type(self) -> MediaType | RecordRefusal:
        """What it is, once all was looked at, or why it is not taken."""
        if not self._head:
            return RecordRefusal(AttachmentGuard.EMPTY_FILE, "the file is empty")
        known = find_binary_type(self._head)
        if known is not None:
            return known
        if self._is_text:
            self._read_text(b"", final=True)
        if not self._is_text:
            taken = ", ".join(MediaType)
            return RecordRefusal(AttachmentGuard.UNKNOWN_FORMAT, f"the content is none of {taken}")
        if self._opening.startswith("<"):
            return RecordRefusal(
                AttachmentGuard.MARKUP, "HTML, SVG and XML are not taken: make a PDF or a picture of it"
            )
        return MediaType.CSV if self._is_csv else MediaType.TEXT

    def _read_text(self, chunk: bytes, *, final: bool) -> None:
        try:
            text = self._decoder.decode(chunk, final)
        except UnicodeDecodeError:
            self._is_text = False
            return
        self._is_text = _CONTROLS.search(text) is None
        if not self._opening:
            self._opening = text.lstrip()[:16]


def find_binary_type(head: bytes) -> MediaType | None:
    """The format by the bytes with which it begins; None: none of those that are taken."""
    if head.startswith(b"\xff\xd8\xff"):
        return MediaType.JPEG
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return MediaType.PNG
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return MediaType.WEBP
    if head.startswith(b"%PDF-"):
        return MediaType.PDF
    if head[4:8] == b"ftyp" and head[8:12] in _MP4_BRANDS:
        return MediaType.MP4
    return None


def find_declared_refusal(declared: str, found: MediaType) -> RecordRefusal | None:
    """Why a file of that kind may not be called that; None where the sender named no format, or the right one."""
    name = declared.partition(";")[0].strip().lower()
    is_open = name in ("", "application/octet-stream")
    is_text = name.startswith("text/") and found in (MediaType.CSV, MediaType.TEXT)
    if is_open or is_text or name == found:
        return None
    return RecordRefusal(AttachmentGuard.TYPE_DIFFERS, f"the content is {found}, not {name}")


def find_attachment_refusal(
    state: WorkOrderState, files: int, captured_at: datetime, now: datetime
) -> RecordRefusal | None:
    """The first guard that refuses another file for an order in that state with so many already, or None."""
    if not state.is_open:
        return RecordRefusal(
            AttachmentGuard.ORDER_OVER, f"the order is {state}: what was signed stays as it was; reopen it for more"
        )
    if files >= MOST_FILES:
        return RecordRefusal(AttachmentGuard.TOO_MANY_FILES, f"an order has at most {MOST_FILES} files")
    if captured_at > now + CLOCK_TOLERANCE:
        return RecordRefusal(AttachmentGuard.TIME_IN_FUTURE, "nothing is captured in the future")
    return None


def find_safe_name(name: str, media_type: MediaType) -> str:
    """The name under which a file is kept and served: no folder, no control or direction characters, and the ending
    that its content has, so that no system opens it as something else."""
    text = unicodedata.normalize("NFC", name.replace("\\", "/").rpartition("/")[2])
    text = "".join(c for c in text if unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co", "Cn"))
    text = _NOT_IN_NAMES.sub("_", text).strip(" .")
    stem, dot, ending = text.rpartition(".")
    if not dot:
        stem, ending = text, ""
    endings = _ENDINGS[media_type]
    if ending.lower() not in endings:
        stem, ending = text, endings[0]
    stem = stem.strip(" .")[:MOST_NAME]
    return f"{stem or 'file'}.{ending.lower()}"


_ENDINGS: dict[MediaType, tuple[str, ...]] = {
    MediaType.JPEG: ("jpg", "jpeg"),
    MediaType.PNG: ("png",),
    MediaType.WEBP: ("webp",),
    MediaType.PDF: ("pdf",),
    MediaType.MP4: ("mp4", "m4v"),
    MediaType.CSV: ("csv",),
    MediaType.TEXT: ("txt", "log", "md", "json"),
}
