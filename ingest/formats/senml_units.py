"""The unit names of SenML and what each is in UCUM. Where both know a name they do not always mean the same by it."""

# Source: IANA registries "SenML Units" (RFC 8428 s.12.1, RFC 8798 s.2) and "Secondary Units" (RFC 8798 s.3). A name
# missing here is UCUM's own code. Of dBW, dBm, NTU, var and what is made of it UCUM has none: they stay unknown.
_RENAMED = {
    "l": "L", "l/s": "L/s",
    "lat": "deg", "lon": "deg",
    "pH": "[pH]",  # to UCUM pH is a picohenry
    "Bspl": "B[SPL]",
    "count": "1", "/": "1", "beats": "1",
    "%": "1",  # the ratio itself: 0.5 is half, whatever it looks like (RFC 8428 s.12.1, note 2)
    "%RH": "%", "%EL": "%", "/100": "%", "/1000": "[ppth]", "ppm": "[ppm]", "ppb": "[ppb]",
    "EL": "s",
    "1/s": "/s", "1/min": "/min", "beat/min": "/min",
    "B": "By", "KiB": "KiBy", "GB": "GBy", "B/s": "By/s", "MB/s": "MBy/s",  # to UCUM B is a bel
    "VA": "V.A", "VAs": "V.A.s", "kVA": "kV.A", "kVAh": "kV.A.h",
    "Ah": "A.h", "Wh": "W.h", "kWh": "kW.h", "Wh/km": "W.h/km",
}  # fmt: skip


def find_ucum(unit: str) -> str:
    """The UCUM code of a SenML unit. A name that SenML does not know is taken for UCUM's own."""
    return _RENAMED.get(unit, unit)


def find_sum_unit(ucum: str) -> str:
    """The unit of a sum: that of the value, multiplied by seconds (RFC 8428 s.4.2)."""
    return "s" if ucum == "1" else f"{ucum}.s"
