"""The installed base as rows of a CSV file: one line a device, with its site and customer."""

import csv
import re
from dataclasses import dataclass
from datetime import date
from io import StringIO
from zoneinfo import available_timezones

from domain.counting import say_count

# Words of the API's own where the address of a customer has the code: GET /customers/attention is a list.
TAKEN_CUSTOMER_CODES = frozenset({"attention"})
SERIAL_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}")
CUSTOMER_TYPES = ("HOSPITAL", "CLINIC", "LAB", "DISTRIBUTOR")
REQUIRED_COLUMNS = ("serial", "model")
COLUMNS = (
    *REQUIRED_COLUMNS,
    "lot",
    "udi",
    "made_on",
    "installed_on",
    "warranty_end",
    "calibration_due",
    "firmware",
    "gateway",
    "customer_ref",
    "customer_name",
    "customer_type",
    "site_ref",
    "site_name",
    "site_time_zone",
    "region",
    "is_simulated",
)
MAX_LINES = 1_000_000


@dataclass(frozen=True, slots=True)
class InstalledDevice:
    """One device as it stands at one customer. Empty text means not known."""

    serial: str
    model: str
    lot: str = ""
    udi: str = ""
    made_on: date | None = None
    installed_on: date | None = None
    warranty_end: date | None = None
    calibration_due: date | None = None
    firmware: str = ""
    gateway: str = ""
    customer_ref: str = ""
    customer_name: str = ""
    customer_type: str = ""
    site_ref: str = ""
    site_name: str = ""
    site_time_zone: str = ""
    region: str = ""
    is_simulated: bool = False


@dataclass(frozen=True, slots=True)
class LineProblem:
    """What is wrong with one line: `line` counts from 1, the header included."""

    line: int
    field: str
    reason: str

    def __str__(self) -> str:
        return f"line {self.line}, {self.field}: {self.reason}"


class _BadFieldError(Exception):
    def __init__(self, field: str, reason: str) -> None:
        super().__init__(reason)
        self.field = field
        self.reason = reason


def parse_installed_base(text: str) -> tuple[list[InstalledDevice], list[LineProblem]]:
    """Every line becomes a device or a problem that names its line, field and reason; none is dropped silently.

    A serial that stands twice is a problem of the second line. Columns may come in any order; unknown ones are problems
    of the header.
    """
    reader = csv.reader(StringIO(text.removeprefix("\ufeff")), strict=True)
    try:
        header = [name.strip() for name in next(reader)]
    except (StopIteration, csv.Error):
        return [], [LineProblem(1, "header", "the file is empty or not CSV")]
    problems = [LineProblem(1, name, "unknown column") for name in header if name not in COLUMNS]
    problems += [LineProblem(1, name, "column is missing") for name in REQUIRED_COLUMNS if name not in header]
    problems += [LineProblem(1, name, "column stands twice") for name in set(header) if header.count(name) > 1]
    if problems:
        return [], problems
    devices: list[InstalledDevice] = []
    seen: dict[str, int] = {}
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            break
        except csv.Error as error:
            problems.append(LineProblem(reader.line_num, "line", f"not CSV: {error}"))
            break
        line = reader.line_num
        if not any(cell.strip() for cell in cells):
            continue
        if line > MAX_LINES:
            problems.append(LineProblem(line, "line", f"more than {MAX_LINES} lines; split the file"))
            break
        if len(cells) != len(header):
            problems.append(LineProblem(line, "line", f"{say_count(len(cells), 'cell')}, the header has {len(header)}"))
            continue
        try:
            device = _parse_line(dict(zip(header, (c.strip() for c in cells), strict=True)))
        except _BadFieldError as error:
            problems.append(LineProblem(line, error.field, error.reason))
            continue
        if device.serial in seen:
            problems.append(
                LineProblem(line, "serial", f"{device.serial} stands in line {seen[device.serial]} already")
            )
            continue
        seen[device.serial] = line
        devices.append(device)
    return devices, problems


def _parse_line(cells: dict[str, str]) -> InstalledDevice:
    if not SERIAL_PATTERN.fullmatch(cells["serial"]):
        raise _BadFieldError("serial", "must be 1 to 64 of A-Z a-z 0-9 . _ : - and begin with a letter or digit")
    if not cells["model"]:
        raise _BadFieldError("model", "must not be empty")
    if cells.get("customer_ref") in TAKEN_CUSTOMER_CODES:
        raise _BadFieldError("customer_ref", "is a word of the API's own")
    customer_type = cells.get("customer_type", "")
    if customer_type and customer_type not in CUSTOMER_TYPES:
        raise _BadFieldError("customer_type", f"must be one of {', '.join(CUSTOMER_TYPES)}")
    zone = cells.get("site_time_zone", "")
    if zone and zone not in available_timezones():
        raise _BadFieldError("site_time_zone", f"{zone!r} is no IANA time zone")
    if cells.get("site_ref") and not cells.get("customer_ref"):
        raise _BadFieldError("customer_ref", "a site needs the customer that it belongs to")
    simulated = (cells.get("is_simulated") or "false").lower()
    if simulated not in ("true", "false"):
        raise _BadFieldError("is_simulated", "must be true or false")
    return InstalledDevice(
        serial=cells["serial"],
        model=cells["model"],
        lot=cells.get("lot", ""),
        udi=cells.get("udi", ""),
        made_on=_parse_date(cells, "made_on"),
        installed_on=_parse_date(cells, "installed_on"),
        warranty_end=_parse_date(cells, "warranty_end"),
        calibration_due=_parse_date(cells, "calibration_due"),
        firmware=cells.get("firmware", ""),
        gateway=cells.get("gateway", ""),
        customer_ref=cells.get("customer_ref", ""),
        customer_name=cells.get("customer_name", ""),
        customer_type=customer_type,
        site_ref=cells.get("site_ref", ""),
        site_name=cells.get("site_name", ""),
        site_time_zone=zone,
        region=cells.get("region", ""),
        is_simulated=simulated == "true",
    )


def _parse_date(cells: dict[str, str], field: str) -> date | None:
    text = cells.get(field, "")
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise _BadFieldError(field, f"{text!r} is no date; write YYYY-MM-DD") from None
