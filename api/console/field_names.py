"""Fields of records by the names that people know, the technical name beside where it counts."""

from collections.abc import Iterable

from api.console.page import View


def name_field(view: View, field: str) -> str:
    """The field in the reader's language; one that this version has no name for as it is written."""
    return view.name("field_name", field)


def name_columns(view: View, columns: Iterable[str]) -> str:
    """Columns of a list that is exported, in one line, each with the name that stands in the file."""
    return view.t("list.comma").join(_set_beside(view, name_field(view, column), column) for column in columns)


def name_export_list(view: View, code: str) -> str:
    """A list that can be exported."""
    return view.name("export_list", code)


def _set_beside(view: View, name: str, code: str) -> str:
    return code if name == code else view.t("code.beside", name=name, code=code)
