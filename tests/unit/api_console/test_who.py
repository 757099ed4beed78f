"""A person on a page: the name in a sentence, the account where somebody points at it, nothing as markup."""

from copy import deepcopy
from datetime import UTC, datetime

import pytest
from markupsafe import escape
from starlette.requests import Request

from api.console.page import View
from api.console.who import Who


def test_a_name_is_text_in_sentences_and_has_its_account_on_pages() -> None:
    anke = Who("Anke <Vogt>", "approver")
    assert f"Opened by {anke}" == "Opened by Anke <Vogt>"
    assert escape(anke) == '<span title="approver" translate="no">Anke &lt;Vogt&gt;</span>'
    again = deepcopy(anke)
    assert (again, again.account) == (anke, "approver")


def test_what_has_no_name_but_its_own_has_no_title() -> None:
    assert escape(Who("token:erp", "token:erp")) == "token:erp"
    assert escape(Who("Forewarn")) == "Forewarn"
    assert not Who("")


@pytest.mark.parametrize(("language", "said"), [("en", "operator, by command line"), ("zh", "操作员（命令行）")])
def test_a_command_of_the_operator_is_called_what_it_is(language: str, said: str) -> None:
    view = View(Request({"type": "http", "headers": []}), None, language, datetime(2026, 3, 2, tzinfo=UTC), "UTC")
    assert [str(view.who(account)) for account in ("cli", "clive", "service_link")] == [said, "clive", "Forewarn"]
