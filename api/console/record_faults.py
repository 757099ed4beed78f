"""What is wrong with the fields of a record, in the reader's language; outbox.js says it by the same words."""

import re
from collections.abc import Iterable

from api.console.language import load_catalogue
from api.console.page import View
from api.problems import FieldError

# Where fields have their names: those of records that phones send, then those of forms.
_GROUPS = ("record_field.", "field.", "field.fa_", "field.scope_", "complaint.", "calendar_field.", "sla_field.")
_PARTS = re.compile(r"[.\[\]]+")


def say_record_faults(view: View, errors: Iterable[FieldError]) -> str:
    """Each field by its name with what is wrong with it; without errors that something cannot be used."""
    said = list(dict.fromkeys(_say_fault(view, error) for error in errors))
    return (
        view.t("record.fields_wrong", fields=view.t("list.comma").join(said)) if said else view.t("record.not_a_value")
    )


def _say_fault(view: View, error: FieldError) -> str:
    limit = "" if error.limit is None else f"{error.limit:,.15g}"
    why = view.t(f"record_wrong.{error.code or 'unusable'}", limit=limit)
    return view.t("record.field_wrong", field=_name_field(view, error.field), why=why)


def _name_field(view: View, path: str) -> str:
    """Of `answers[0].remark` the remark: the last part of the path that has a name."""
    catalogue = load_catalogue(view.language)
    keys = (f"{group}{part}" for part in reversed(_PARTS.split(path)) for group in _GROUPS)
    named = next((key for key in keys if key in catalogue), "")
    return view.t(named) if named else path
