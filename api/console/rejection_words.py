"""Why a message was refused, in the reader's language: what ingest wrote is kept as it is and told by its pattern.

The English messages of the catalogue are the patterns that ingest's sentences are recognised by, so that rows of
earlier versions are told as well; a sentence that none fits stays as it was written.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from string import Formatter
from types import MappingProxyType

from api.console.language import load_catalogue, translate
from domain.counting import find_forms

Name = Callable[[str], str]
NO_NAMES: Mapping[str, Name] = MappingProxyType({})
_DETAIL, _NOUN = "rejection_detail", "rejection_noun"
_QUOTED = re.compile(" ?(“[^”]*”) ?")  # Chinese quotation marks bring their own space
# What may hold words of ingest: a kind of value, a span, another sentence.
_NESTED = frozenset({"what", "span", "detail", "error", "speaker", "owner", "limit", "level"})


@dataclass(frozen=True, slots=True)
class Detail:
    """The sentence for this reader and, where it is another one, what ingest wrote. `tag` is the language of a sentence
    that is not in the reader's, else ""."""

    text: str
    raw: str = ""
    tag: str = ""


@lru_cache(maxsize=2_000)
def tell_detail(language: str, written: str) -> Detail:
    """The detail of a rejection in that language."""
    if language == "en" or not written:
        return Detail(written)
    told = tell_pattern(language, written, _DETAIL, _NOUN)
    return Detail(written, tag="en") if told is None else Detail(told, raw=written)


def tell_pattern(language: str, written: str, *groups: str, names: Mapping[str, Name] = NO_NAMES) -> str | None:
    """The message of these groups whose English form is what is written, in that language; None: none of them is.

    `names` says what people call the codes that a message holds, by the name of its parameter.
    """
    for group in groups:
        for key, pattern in _load_patterns(group):
            if found := pattern.fullmatch(written):
                filled = {
                    name: names[name](part) if name in names else _tell_part(language, name, part)
                    for name, part in found.groupdict().items()
                }
                told = translate(language, key, **filled).strip()
                return told if language == "en" else _QUOTED.sub(r"\1", told)
    return None


def _tell_part(language: str, name: str, part: str) -> str:
    told = tell_pattern(language, part, _DETAIL, _NOUN) if name in _NESTED else None
    if told is not None:
        return told
    quoted = len(part) > 1 and part[0] == part[-1] == "'"
    return f"“{part[1:-1]}”" if quoted else f" {part} " if name == "what" else part


@cache
def _load_patterns(group: str) -> list[tuple[str, re.Pattern[str]]]:
    """The patterns of a group by key, those with the most words of their own first."""
    found = []
    for key, message in load_catalogue("en").items():
        if not key.startswith(f"{group}."):
            continue
        pattern, own = "", 0
        for literal, name, spec, _ in Formatter().parse(str(message)):
            pattern += re.escape(literal) + (f"(?P<{name}>.+?)" if name else "")
            if forms := find_forms(spec or ""):
                pattern += f" (?:{'|'.join(map(re.escape, forms))})"
            own += len(literal)
        found.append((own, key, re.compile(pattern, re.DOTALL)))
    return [(key, pattern) for _, key, pattern in sorted(found, key=lambda one: (-one[0], one[1]))]
