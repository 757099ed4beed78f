"""Plans of waves as people write them, one wave a line: who is in it; hours that it stands; per cent to be done."""

from collections.abc import Sequence

from api.console.page import View
from domain.field_action_scope import MOST_SERIALS, MOST_SOAK_H, MOST_WAVES, Wave


class WavesUnreadableError(ValueError):
    """The plan cannot be used; the message is the sentence for whoever wrote it."""


def read_waves(view: View, text: str) -> tuple[Wave, ...]:
    """The waves of that text, in order; lines of blanks say nothing.

    Raises
    ------
    WavesUnreadableError
        A line is no wave, the last one does not take all that are left, or there are none or too many.
    """
    waves = tuple(_read_line(view, n, line) for n, line in enumerate(text.splitlines(), 1) if line.strip())
    if not 1 <= len(waves) <= MOST_WAVES:
        raise WavesUnreadableError(view.t("waves_wrong.count", most=MOST_WAVES))
    if waves[-1].serials or waves[-1].share < 1.0:
        raise WavesUnreadableError(view.t("waves_wrong.last"))
    return waves


def write_waves(waves: Sequence[Wave]) -> str:
    """The text that these waves are read from."""
    return "\n".join(
        f"{' '.join(wave.serials) or f'{100 * wave.share:g}%'}; {wave.soak_h:g}; {100 * wave.done_share:g}"
        for wave in waves
    )


def _read_line(view: View, n: int, line: str) -> Wave:
    who, *numbers = [part.strip() for part in line.replace("；", ";").replace("％", "%").split(";")]
    is_share = who.endswith("%")
    try:
        soak_h, done = (float(part.rstrip("h%")) for part in numbers)
        share = float(who[:-1]) / 100.0 if is_share else 1.0
    except ValueError:
        raise WavesUnreadableError(view.t("waves_wrong.line", n=n)) from None
    serials = () if is_share else tuple(dict.fromkeys(who.replace(",", " ").split()))
    if not 0.0 < share <= 1.0:
        raise WavesUnreadableError(view.t("waves_wrong.share", n=n))
    if not is_share and not 1 <= len(serials) <= MOST_SERIALS:
        raise WavesUnreadableError(view.t("waves_wrong.serials", n=n, most=f"{MOST_SERIALS:,}"))
    if not 0.0 <= soak_h <= MOST_SOAK_H:
        raise WavesUnreadableError(view.t("waves_wrong.hours", n=n, most=f"{MOST_SOAK_H:,.0f}"))
    if not 0.0 <= done <= 100.0:
        raise WavesUnreadableError(view.t("waves_wrong.done", n=n))
    return Wave(share, serials, soak_h, done / 100.0)
