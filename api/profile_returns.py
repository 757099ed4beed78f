"""An earlier version of a profile, proposed again: a draft that goes the way of every model, with all its guards."""

from dataclasses import replace
from datetime import datetime

from api.auth import Caller
from api.problems import INVALID, ProblemError, not_found
from api.routes.device_models import find_profile
from domain.audit import find_content_sha256
from domain.differences import Difference, find_differences
from domain.model_record import ModelKind, describe_profile
from domain.profile_json import profile_to_json
from store.models import ModelRow, NewModel, record_model
from store.pool import Connection
from store.profiles import load_profile


def find_profile_differences(conn: Connection, model: str, before: int, after: int) -> list[Difference]:
    """What version `after` has otherwise than `before`.

    Raises
    ------
    ProblemError
        404: there is no such version.
    """
    documents = []
    for name, version in (("before", before), ("after", after)):
        profile = load_profile(conn, model, version)
        if profile is None:
            raise not_found("profile version", str(version), name)
        documents.append({k: v for k, v in profile_to_json(profile).items() if k != "version"})
    return find_differences(*documents)


def propose_return(conn: Connection, caller: Caller, model: str, version: int, reason: str, now: datetime) -> ModelRow:
    """The draft that has what that version says; nothing counts before it is backtested and made live.

    Raises
    ------
    ProblemError
        404: there is no such version. 422: the current one says the same.
    """
    current, earlier = find_profile(conn, model), load_profile(conn, model, version)
    if earlier is None:
        raise not_found("profile version", str(version), "version")
    if replace(earlier, version=current.version) == current:
        raise ProblemError(INVALID, fields={"version": "says what the current one says"})
    description = describe_profile(profile_to_json(earlier), current.version)
    provenance = {"returns_to": version, "reason": reason}
    sha256 = find_content_sha256(description)
    new = NewModel(ModelKind.PROFILE, model, "", description, b"", sha256, provenance)
    return record_model(conn, caller.actor, new, now)
