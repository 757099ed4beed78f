"""What other systems call device models. All else of a model comes from its profile file."""

from domain.errors import NotFoundError
from domain.master_data import ExternalName, FieldRefusal, MasterKind, Refused, UpsertAction, Upserted
from store.master_references import Intake, Located, is_new_name, locate, note_changed, record_reference


def name_model(
    intake: Intake, name: ExternalName, model: str, *, expected_row_version: int | None = None
) -> Upserted | Refused:
    """That system calls the device model so.

    Raises
    ------
    NotFoundError, RowVersionConflictError
        There is no profile of that model, or its row is at another version.
    """
    kind = MasterKind.DEVICE_MODEL
    if name.is_own:
        return Refused((FieldRefusal("system", "names another system; our own code is the profile's"),))
    found = locate(intake.conn, kind, name, {"code": model}, expected_row_version)
    if isinstance(found, Refused):
        return found
    if not isinstance(found, Located):
        raise NotFoundError(f"(device model {model!r})")
    if not is_new_name(name, found):
        return Upserted(UpsertAction.UNCHANGED, found.code)
    record_reference(intake.conn, kind, found.id, name, intake.now)
    return note_changed(intake, kind, found.code, {}, {}, name)
