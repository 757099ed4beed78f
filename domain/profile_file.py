"""Profile files: YAML text to a `Profile`, or every problem in it with line, column and field."""

from typing import Any

import yaml

from domain.profile import Profile
from domain.profile_checks import check_profile, default_fields
from domain.profile_fields import FieldReader
from domain.profile_json import find_profile_sha256, profile_from_json, profile_to_json
from domain.profile_yaml import ProfileProblem, compose_document

__all__ = ["ProfileProblem", "find_profile_sha256", "parse_profile", "profile_from_json", "profile_to_json"]


def parse_profile(text: str, source: str) -> Profile | list[ProfileProblem]:
    """The profile that the YAML text describes, or all of its problems in the order of the file; never an exception.

    Parameters
    ----------
    text
        The file's content.
    source
        What to call the file in problems.
    """
    root = compose_document(text, source)
    if not isinstance(root, yaml.MappingNode):
        return root
    reader = FieldReader(source, default_fields)
    values, _ = reader.read_values(Profile, root, "")
    check_profile(values, reader)
    if reader.problems:
        return sorted(reader.problems, key=_find_position)
    return Profile(**values)


def _find_position(problem: ProfileProblem) -> tuple[Any, ...]:
    return (problem.line, problem.column, problem.field)
