"""Who wrote an entry of a device's history: people by their full names, nobody's where names are masked."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import pytest

from api.console.language import find_name, translate
from api.console.page import View
from api.console.source_words import say_source
from api.console.who import Who


@dataclass(frozen=True)
class Reader:
    """As much of a view as sources ask for."""

    language: str
    full_names: Mapping[str, str]

    def who(self, account: str) -> Who:
        return Who(self.full_names.get(account, account), account)

    def t(self, key: str, **params: Any) -> str:
        return translate(self.language, key, **params)

    def name(self, group: str, code: str) -> str:
        return find_name(self.language, group, code)


@pytest.mark.parametrize(
    ("source", "english", "chinese"),
    [
        ("user:mara", "Mara Lindqvist", "Mara Lindqvist"),
        ("user:gone", "gone", "gone"),
        ("user", "staff", "工作人员"),
        ("import:setup", "import: setup", "导入：setup"),
        ("import", "import", "导入"),
        ("token:erp", "token: erp", "令牌：erp"),
        ("device", "", ""),
        ("something:else", "something:else", "something:else"),
    ],
)
def test_a_source_is_told_in_words(source: str, english: str, chinese: str) -> None:
    names = {"mara": "Mara Lindqvist"}
    assert say_source(cast(View, Reader("en", names)), source) == english
    assert say_source(cast(View, Reader("zh", names)), source) == chinese
