"""A profile as JSON, exactly, and its hash: what the store keeps beside every version."""

import hashlib
import json
from dataclasses import fields
from enum import Enum, EnumType
from types import UnionType
from typing import Any, cast, get_args, get_origin, get_type_hints

from domain.errors import ProfileError
from domain.profile import Profile


def profile_to_json(profile: Profile) -> dict[str, Any]:
    """The profile as JSON values; `profile_from_json` gives back an equal profile."""
    return cast(dict[str, Any], _to_json(profile))


def profile_from_json(document: dict[str, Any]) -> Profile:
    """The profile that `profile_to_json` made this document of.

    Raises
    ------
    ProfileError
        The document is not one that `profile_to_json` makes.
    """
    return cast(Profile, _from_json(Profile, document, "profile"))


def find_profile_sha256(profile: Profile) -> str:
    """The hex SHA-256 of the profile's canonical JSON: equal profiles have equal hashes, in any process."""
    canonical = json.dumps(
        profile_to_json(profile), ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False
    )
    return hashlib.sha256(canonical.encode()).hexdigest()


def _to_json(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, tuple):
        return [_to_json(item) for item in value]
    if hasattr(value, "__dataclass_fields__"):
        return {f.name: _to_json(getattr(value, f.name)) for f in fields(value)}
    return value


def _from_json(hint: Any, value: Any, path: str) -> Any:
    if get_origin(hint) is UnionType:
        if value is None:
            return None
        hint = next(arg for arg in get_args(hint) if arg is not type(None))
    if get_origin(hint) is tuple:
        if not isinstance(value, list):
            raise ProfileError(f"{path} must be a list.")
        return tuple(_from_json(get_args(hint)[0], item, f"{path}[{i}]") for i, item in enumerate(value))
    if hasattr(hint, "__dataclass_fields__"):
        if not isinstance(value, dict):
            raise ProfileError(f"{path} must be an object.")
        hints = get_type_hints(hint)
        unknown = value.keys() - hints.keys()
        if unknown:
            raise ProfileError(f"{path} has the unknown field {min(unknown)}.")
        # A field that came later has a default: documents stored before it are still read.
        given = {key: _from_json(hints[key], item, f"{path}.{key}") for key, item in value.items()}
        try:
            return hint(**given)
        except TypeError as error:
            raise ProfileError(f"{path}: {error}.") from error
    if isinstance(hint, EnumType):
        try:
            return cast(Any, hint)(value)
        except ValueError as error:
            raise ProfileError(f"{path}: {error}.") from error
    if hint is float and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)  # JSON numbers lose the difference between 1 and 1.0
    if isinstance(value, hint) and (hint is bool or not isinstance(value, bool)):
        return value
    raise ProfileError(f"{path} must be {hint.__name__}.")
