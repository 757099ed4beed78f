"""The table of rights: least privilege, as the service's rules say it."""

import pytest

from domain.roles import EVERYBODYS, ROLE_PERMISSIONS, Permission, Role, find_permissions, find_role_for

# To take an export writes nothing but that it was taken.
READS = (".read", ".read_contacts", "account.use", "export.take")
WRITES = {p for p in Permission if not p.value.endswith(READS)}


def test_every_role_has_its_row_and_every_right_a_role() -> None:
    assert set(ROLE_PERMISSIONS) == set(Role)
    assert frozenset().union(*ROLE_PERMISSIONS.values()) == set(Permission)


@pytest.mark.parametrize("role", [Role.AUDITOR, Role.CUSTOMER])
def test_readers_change_nothing(role: Role) -> None:
    assert not ROLE_PERMISSIONS[role] & WRITES


def test_admin_sees_and_changes_no_records() -> None:
    assert ROLE_PERMISSIONS[Role.ADMIN] == {
        Permission.ACCOUNT_USE,
        Permission.HEALTH_READ,
        Permission.DEVICE_CREDENTIALS,  # accounts, too
        Permission.USER_MANAGE,
        Permission.TOKEN_MANAGE,
        Permission.CONFIGURATION_READ,
        Permission.RETENTION_WRITE,  # with another person
        Permission.RETENTION_APPROVE,
        Permission.APPROVAL_REQUEST_READ,  # of what he may ask for or grant: retention alone
        Permission.WEBHOOK_READ,  # without what events are about
        Permission.WEBHOOK_REPLAY,
        Permission.WEBHOOK_MANAGE,
    }


def test_who_does_the_work_never_verifies_closes_or_assigns_it() -> None:
    assert not ROLE_PERMISSIONS[Role.TECHNICIAN] & {
        Permission.WORK_ORDER_VERIFY,
        Permission.WORK_ORDER_CLOSE,
        Permission.WORK_ORDER_ASSIGN,
        Permission.WORK_ORDER_REOPEN,
    }
    assert Permission.WORK_ORDER_WORK not in ROLE_PERMISSIONS[Role.SERVICE_MANAGER]


def test_a_capa_is_written_and_approved_by_different_roles() -> None:
    assert Permission.CAPA_DECIDE not in ROLE_PERMISSIONS[Role.QUALITY_ENGINEER]
    assert Permission.CAPA_WORK not in ROLE_PERMISSIONS[Role.QUALITY_APPROVER]


def test_rights_of_several_roles_add_up_and_unknown_roles_give_nothing() -> None:
    both = find_permissions(["technician", "admin", "wizard"])
    assert both == ROLE_PERMISSIONS[Role.TECHNICIAN] | ROLE_PERMISSIONS[Role.ADMIN]
    assert find_permissions(["wizard"]) == frozenset()


def test_what_counts_for_all_customers_is_not_for_an_account_of_one() -> None:
    manager = find_permissions(["service_manager"], of_one_customer=True)
    assert Permission.SLA_POLICY_WRITE not in manager
    assert Permission.WORK_ORDER_CLOSE in manager
    assert find_permissions(["service_manager"]) - manager == ROLE_PERMISSIONS[Role.SERVICE_MANAGER] & EVERYBODYS


def test_the_audit_names_the_least_powerful_role_that_gives_the_right() -> None:
    assert find_role_for(["service_manager", "dispatcher"], Permission.WORK_ORDER_ASSIGN) is Role.DISPATCHER
    assert find_role_for(["service_manager", "dispatcher"], Permission.WORK_ORDER_CLOSE) is Role.SERVICE_MANAGER
    assert find_role_for(["technician"], Permission.AUDIT_READ) is None
