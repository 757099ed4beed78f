"""Customers in the order in which they need a call, from what is wrong with each: the service's order is held to it."""

from collections.abc import Iterable, Mapping

from domain.customer_risk import CUSTOMER_RULES, AttentionKey, rank_points
from domain.risk import Found, Trouble, find_points


def rank_customers(customers: Iterable[tuple[str, Mapping[Trouble, Found]]], *, least: int = 0) -> list[AttentionKey]:
    """The customers with at least so many points."""
    return rank_points(((code, *find_points(CUSTOMER_RULES, found)) for code, found in customers), least=least)
