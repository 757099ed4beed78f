"""Device models, as their profiles say."""

from dataclasses import asdict
from typing import Annotated

from api.auth import Caller, require
from api.problems import declare, not_found
from api.shapes.installed_base import ModelDetail, ModelShape
from api.shapes.pages import Page
from api.state import Database
from api.versioned_router import make_router
from domain.profile import Profile
from domain.profile_json import profile_to_json
from domain.roles import Permission
from store.pool import Connection
from store.profiles import load_profile, load_profiles

router = make_router("/device-models", tag="installed base")
Reader = Annotated[Caller, require(Permission.DEVICE_READ)]


@router.get("", summary="List device models")
def list_models(caller: Reader, pool: Database) -> Page[ModelShape]:
    """Every model with its current version."""
    with pool.connection() as conn:
        profiles = load_profiles(conn)
    return Page(items=[ModelShape.model_validate(_shape(profile)) for profile in profiles.values()])


@router.get("/{model}", summary="One device model", responses=declare(404))
def read_model(model: str, caller: Reader, pool: Database, version: int | None = None) -> ModelDetail:
    """The model's profile, the current one or that of `version`: a breach names the version that judged it."""
    with pool.connection() as conn:
        profile = find_profile(conn, model, version)
    return ModelDetail.model_validate(_shape(profile) | {"profile": profile_to_json(profile)})


def find_profile(conn: Connection, model: str, version: int | None = None) -> Profile:
    """The profile of a device model, the current one or that of `version`.

    Raises
    ------
    ProblemError
        404, which names the field `model`.
    """
    profile = load_profile(conn, model, version)
    if profile is None:
        raise not_found("device model", model, "model")
    return profile


def _shape(profile: Profile) -> dict[str, object]:
    return {
        "model": profile.model,
        "version": profile.version,
        "manufacturer": profile.manufacturer,
        "name": asdict(profile.name),
        "udi_di": profile.udi_di,
        "safety_critical": profile.safety_critical,
    }
