"""The console's words: one catalogue per language, whole sentences with named parameters, never half translated.

A catalogue is a folder with a file for each part of the console, so that a page brings its words along.
"""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from domain.counting import fill_counts, is_one, say_number

LANGUAGES = ("en", "zh")
LANGUAGE_NAMES = {"en": "English", "zh": "中文"}
# What stands in lang="": screen readers pick the voice by it, browsers the glyphs.
LANGUAGE_TAGS = {"en": "en", "zh": "zh-Hans"}
_LOCALE_FOLDER = Path(__file__).parent / "locale"

Message = str | dict[str, str]


@cache
def load_catalogue(language: str) -> Mapping[str, Message]:
    """All messages of one language, by key; a message that counts something has the forms "one" and "other"."""
    messages: dict[str, Message] = {}
    for path in sorted((_LOCALE_FOLDER / language).glob("*.json")):
        part: dict[str, Message] = json.loads(path.read_text("utf-8"))
        if twice := messages.keys() & part.keys():
            raise ValueError(f"{path.name} says again what another file says: {sorted(twice)}")
        messages |= part
    return messages


def translate(language: str, key: str, /, **params: Any) -> str:
    """The message of that key in that language, its parameters filled in; `count` picks the plural form.

    In English a message may also say each of its numbers with its noun, see `domain.counting`. A parameter
    `permission` is the code of a right and is said by name and code.

    Raises
    ------
    KeyError
        There is no such message, or it has a parameter that was not given.
    """
    message = load_catalogue(language)[key]
    if isinstance(message, dict):
        message = message["one" if language == "en" and is_one(params["count"]) else "other"]
        params["count"] = say_number(params["count"])
    if "permission" in params:
        params["permission"] = say_permission(language, params["permission"])
    return fill_counts(message, params) if params else message


def say_permission(language: str, code: str) -> str:
    """A right by its name with its code beside it: people know the one, tables of rights and the audit the other."""
    name = find_name(language, "permission", code)
    return str(load_catalogue(language)["permission.said"]).format(name=name, code=code)


def find_name(language: str, group: str, code: str | None) -> str:
    """The name of a code, such as a state; one that this version has no name for is shown as it is, never hidden."""
    if code is None:
        return ""
    message = load_catalogue(language).get(f"{group}.{code}")
    return message if isinstance(message, str) else code


def choose_language(user_language: str, cookie: str | None, accept_language: str | None) -> str:
    """What the person chose here, else what stands in their account, else what their browser asks for, else English."""
    for wish in (cookie, user_language):
        if wish in LANGUAGES:
            return str(wish)
    wishes: list[tuple[float, int, str]] = []
    for place, part in enumerate((accept_language or "").split(",")):
        tag, _, weight = part.strip().partition(";q=")
        try:
            quality = float(weight) if weight else 1.0
        except ValueError:
            quality = 0.0
        wishes.append((-quality, place, tag.split("-")[0].lower()))
    return next((tag for quality, _, tag in sorted(wishes) if tag in LANGUAGES and quality < 0), "en")
