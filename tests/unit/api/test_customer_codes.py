"""Codes that people and programs choose, and words that addresses have in the place of a code."""

from fastapi.routing import APIRoute

from api.app import ROUTERS
from api.versioned_router import PREFIX
from domain.installed_base import TAKEN_CUSTOMER_CODES, parse_installed_base
from domain.master_data import ExternalName, FieldRefusal, MasterKind, find_new_code

CHOSEN = ("customers", "sites", "contracts", "devices", "device-models", "service-calendars", "sla-policies")


def test_no_word_of_an_address_is_a_code_that_somebody_may_choose() -> None:
    routes = [route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)]
    paths = {(method, route.path.removeprefix(PREFIX)) for route in routes for method in route.methods or ()}
    words = {
        (parts[1], parts[2])
        for method, path in paths
        for parts in [path.split("/")]
        if parts[1] in CHOSEN and len(parts) > 2 and not parts[2].startswith("{")
        # Another address with the code there, of as many parts: one of the two could not be reached.
        if any(
            m == method and q[1:3] != parts[1:3] and q[1] == parts[1] and q[2].startswith("{") and len(q) == len(parts)
            for m, other in paths
            for q in [other.split("/")]
            if len(q) > 2
        )
    }
    assert {word for noun, word in words if noun == "customers"} == TAKEN_CUSTOMER_CODES
    assert {noun for noun, _ in words} == {"customers"}


def test_such_a_word_is_refused_as_a_code_wherever_a_customer_is_made() -> None:
    for given in ({}, {"code": "attention"}):
        found = find_new_code(MasterKind.CUSTOMER, ExternalName("erp", "attention"), given)
        assert isinstance(found, FieldRefusal)
        assert found.field == "code"
    assert find_new_code(MasterKind.CUSTOMER, ExternalName("erp", "attention"), {"code": "C-1"}) == "C-1"
    assert find_new_code(MasterKind.SITE, ExternalName("erp", "attention"), {}) == "attention"
    devices, problems = parse_installed_base("serial,model,customer_ref\nSN-1,M,attention\n")
    assert (devices, [(p.line, p.field) for p in problems]) == ([], [(2, "customer_ref")])
