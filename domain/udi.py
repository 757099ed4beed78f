"""UDI carriers: what the GS1 element strings of a label say of a device, and whether that fits what is known. Pure.

A library reads the element strings (AIs 01, 11, 17, 10 and 21 among all others): fixed and variable lengths,
separators, check digits, and dates whose day is 00. Carriers of HIBCC (`+...`) and ICCBBA (`=...`) are kept as they
are, unread.
"""

from dataclasses import dataclass
from datetime import date

MOST_CHARACTERS = 200
_HRI = "("
_OTHER_ISSUERS = ("+", "=")
# What scanners send before the content of a GS1-128, DataMatrix or QR symbol.
_SYMBOLOGY = ("]C1", "]d2", "]Q3")


@dataclass(frozen=True, slots=True)
class Udi:
    """A carrier and what it says; None where it does not say it. `text` is how it is kept: one spelling for one UDI."""

    text: str
    udi_di: str | None = None  # AI 01, 14 digits
    made_on: date | None = None  # AI 11
    expires_on: date | None = None  # AI 17
    lot: str | None = None  # AI 10
    serial: str | None = None  # AI 21


def parse_udi(text: str) -> Udi | str:
    """The carrier, from the text on a label (`(01)...(21)...`) or what a scanner reads, or what is wrong with it."""
    stripped = text.strip()
    for prefix in _SYMBOLOGY:
        stripped = stripped.removeprefix(prefix)
    stripped = stripped.removeprefix("\x1d")
    if not stripped:
        return "must not be empty"
    if len(stripped) > MOST_CHARACTERS:
        return f"has more than {MOST_CHARACTERS} characters"
    if stripped.startswith(_OTHER_ISSUERS):
        return Udi(stripped)
    # Imported at the first carrier: it reads its tables of prefixes, which takes as long as a program's own modules.
    from biip import BiipException
    from biip.gs1_messages import GS1Message

    try:
        message = GS1Message.parse_hri(stripped) if stripped.startswith(_HRI) else GS1Message.parse(stripped)
    except (BiipException, ValueError):
        return "cannot be read as GS1 element strings, e.g. (01)04012345000016(21)SN-0001"
    found: dict[str, str] = {}
    days: dict[str, date | None] = {}
    for element in message.element_strings:
        ai = element.ai.ai
        if ai in found:
            return f"says ({ai}) twice"
        if ai == "01" and element.gtin is None:
            return f"has a wrong check digit in (01): {element.value}"
        found[ai] = element.value
        days[ai] = element.date
    if "01" not in found:
        return "does not say (01), the device identifier"
    return Udi(message.as_hri(), found["01"], days.get("11"), days.get("17"), found.get("10"), found.get("21"))


def normalise_udi(text: str) -> str:
    """One spelling for one UDI; what cannot be read stays as it is."""
    parsed = parse_udi(text)
    return text.strip() if isinstance(parsed, str) else parsed.text


def find_udi_conflicts(
    udi: Udi,
    *,
    model_udi_di: str,
    serial: str,
    lot: str = "",
    made_on: date | None = None,
    expires_on: date | None = None,
) -> dict[str, str]:
    """Field -> what the carrier says otherwise; empty: nothing. What is not known, on either side, is no conflict."""
    said: tuple[tuple[str, str, object, object], ...] = (
        (
            "udi",
            "its (01) is {said}, that of the model is {known}",
            udi.udi_di,
            model_udi_di.zfill(14) if model_udi_di else "",
        ),
        ("serial", "the UDI says {said} in (21)", udi.serial, serial),
        ("lot", "the UDI says {said} in (10)", udi.lot, lot),
        ("made_on", "the UDI says {said} in (11)", udi.made_on, made_on),
        ("expires_on", "the UDI says {said} in (17)", udi.expires_on, expires_on),
    )
    return {
        field: text.format(said=there, known=known)
        for field, text, there, known in said
        if there is not None and known not in ("", None) and there != known
    }
