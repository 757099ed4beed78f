"""What the caller may see of people, on answers and in filters; the table itself is `domain.masking`."""

from typing import TypeVar

from api.auth import Caller, missing_permission
from api.shapes.pages import Shape
from domain.masking import find_masked_fields, find_right

AnyShape = TypeVar("AnyShape", bound=Shape)


def mask_shape(record: str, shape: AnyShape, caller: Caller) -> AnyShape:
    """The shape with what names people and is not the caller's to see set to null; lists become empty."""
    hidden = find_masked_fields(record, caller.permissions) & type(shape).model_fields.keys()
    empty: dict[str, object] = {name: [] if isinstance(getattr(shape, name), list) else None for name in hidden}
    return shape.model_copy(update=empty) if empty else shape


def verify_filter(record: str, field: str, is_used: object, caller: Caller) -> None:
    """Returns when the caller may see the field, or does not filter by it.

    Raises
    ------
    ProblemError
        403: what a filter finds would tell what is masked.
    """
    right = find_right(record, field)
    if is_used and right is not None and not caller.may(right):
        raise missing_permission(right)
