"""What carries out each kind of change that takes two people: the one table that the API and the tests hand over."""

from domain.approval_request import ApprovalKind
from store.approval_requests import ApprovalHandler

HANDLERS: dict[ApprovalKind, ApprovalHandler] = {}
