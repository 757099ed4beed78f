"""Customers and sites in words: the name, with the code where people need it or no name is known."""

from collections.abc import Iterable, Mapping
from typing import Any

from api.console.page import View
from store.place_names import PlaceNames, load_place_names
from store.pool import Connection

NO_PLACES = PlaceNames()
# The fields of free records that hold codes.
CUSTOMER_FIELDS = frozenset({"customer", "new_customer", "customers"})
SITE_FIELDS = frozenset({"site"})


def say_place(customer: str | None, site: str | None, places: PlaceNames) -> str:
    """Customer and site by name."""
    named = (name_of(customer, places.customers), name_of(site, places.sites))
    return " · ".join(part for part in named if part)


def code_place(customer: str | None, site: str | None) -> str:
    """The same by their codes: what stands in the title of the name."""
    return " · ".join(part for part in (customer, site) if part)


def name_of(code: str | None, names: Mapping[str, str]) -> str:
    """The name, or the code where it has none that this person may know."""
    return names.get(code, code) if code else ""


def tell_code(view: View, code: str | None, names: Mapping[str, str]) -> str:
    """The name with its code, for pages on which people type codes."""
    if not code:
        return ""
    name = names.get(code)
    return code if name is None or name == code else view.t("code.beside", name=name, code=code)


def load_places_of(view: View, conn: Connection, records: Iterable[Mapping[str, Any]]) -> PlaceNames:
    """The names of the customers and sites that these records (field -> value) tell."""
    told = [
        (name, value)
        for record in records
        for name, given in record.items()
        for value in (given if isinstance(given, list | tuple) else (given,))
        if isinstance(value, str)
    ]
    return load_place_names(
        conn,
        customers=[value for name, value in told if name in CUSTOMER_FIELDS],
        sites=[value for name, value in told if name in SITE_FIELDS],
        customer_id=view.person.customer_id,
    )


def tell_field(view: View, name: str, value: str, places: PlaceNames) -> str:
    """The value of a field, with its name where it is the code of a customer or site."""
    if name in CUSTOMER_FIELDS:
        return tell_code(view, value, places.customers)
    return tell_code(view, value, places.sites) if name in SITE_FIELDS else value
