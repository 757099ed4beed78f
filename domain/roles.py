"""Roles and what each may do: least privilege, and the only table of rights in the product.

A person may hold several roles; a token holds one. What a role may do *to which rows* (a technician's own work
orders, a customer's own devices) is not here: the first is a guard of the record's life-cycle, the second a condition
of every query.
"""

from collections.abc import Iterable
from enum import StrEnum


class Role(StrEnum):
    """Who somebody is to this system. Values stand in the database and never change."""

    TECHNICIAN = "technician"
    DISPATCHER = "dispatcher"
    SERVICE_MANAGER = "service_manager"
    QUALITY_ENGINEER = "quality_engineer"
    QUALITY_APPROVER = "quality_approver"
    DATA_STEWARD = "data_steward"
    ENGINEER = "engineer"
    INTEGRATOR = "integrator"
    AUDITOR = "auditor"
    CUSTOMER = "customer"
    ADMIN = "admin"


class Permission(StrEnum):
    """One right. Values stand in audit events and in problems, and never change."""

    ACCOUNT_USE = "account.use"  # see oneself, change one's own password
    HEALTH_READ = "health.read"  # details of programs and metrics
    CUSTOMER_READ = "customer.read"
    CUSTOMER_READ_CONTACTS = "customer.read_contacts"  # names and numbers of people; masked without it
    STAFF_READ = "staff.read"  # names of the maker's people on records; masked without it
    DEVICE_READ = "device.read"  # devices, sites, contracts, models, history
    DEVICE_REGISTER = "device.register"
    DEVICE_CREDENTIALS = "device.credentials"  # accounts at the broker: make, rotate, revoke
    DEVICE_SHELVE = "device.shelve"
    READING_READ = "reading.read"  # readings and scores
    BREACH_READ = "breach.read"  # breaches and their evidence
    BREACH_ACKNOWLEDGE = "breach.acknowledge"
    WORK_ORDER_READ = "work_order.read"
    WORK_ORDER_CREATE = "work_order.create"
    WORK_ORDER_NOTE = "work_order.note"
    WORK_ORDER_TRIAGE = "work_order.triage"  # accept into work, change priority
    WORK_ORDER_ASSIGN = "work_order.assign"
    WORK_ORDER_WORK = "work_order.work"  # start, hold, go on, report done, decline: on one's own orders
    WORK_ORDER_VERIFY = "work_order.verify"  # never one's own work
    WORK_ORDER_CLOSE = "work_order.close"  # signed
    WORK_ORDER_REOPEN = "work_order.reopen"
    WORK_ORDER_CANCEL = "work_order.cancel"
    WORK_ORDER_MERGE = "work_order.merge"  # two orders that turn out to be one
    WORK_ORDER_ATTACH = "work_order.attach"  # photos, reports, documents
    TEMPLATE_WRITE = "template.write"  # checklists, versioned
    CERTIFICATE_WRITE = "certificate.write"  # which technician may work on which model, and until when
    SLA_POLICY_WRITE = "sla_policy.write"  # response and resolution times, calendars, holidays
    SLA_WAIVE = "sla.waive"  # ask for a waiver and grant another's: two people
    PLAN_WRITE = "maintenance_plan.write"
    PLAN_SKIP = "maintenance_plan.skip"  # ask to leave out an occurrence and grant another's: two people
    COMPLAINT_READ = "complaint.read"
    COMPLAINT_WRITE = "complaint.write"
    VIGILANCE_ASSESS = "vigilance.assess"  # when we became aware, what harm was done, which authorities
    VIGILANCE_DECIDE = "vigilance.decide"  # whether it is reported; signed, never what one assessed
    FIELD_ACTION_READ = "field_action.read"
    FIELD_ACTION_WRITE = "field_action.write"  # draft, scope, notices, items
    FIELD_ACTION_APPROVE = "field_action.approve"  # two people, signed
    FIELD_ACTION_WORK = "field_action.work"  # schedule and remedy items, note what customers said
    FIRMWARE_WRITE = "firmware.write"  # register a version and its hash
    FIRMWARE_APPROVE = "firmware.approve"  # two people, signed; release and withdraw
    MASTER_DATA_WRITE = "master_data.write"  # customers, sites, contracts, devices
    KEY_FIELD_APPROVE = "key_field.approve"  # another's change of serial, UDI or owner
    KPI_READ = "kpi.read"
    EXPORT_TAKE = "export.take"  # lists as files; logged and watermarked
    EXPORT_APPROVE = "export.approve"  # another's export of data that names people
    APPROVAL_REQUEST_READ = "approval_request.read"  # changes that wait for a second person
    CAPA_READ = "capa.read"
    CAPA_DECIDE = "capa.decide"  # open or reject a proposal
    CAPA_WORK = "capa.work"  # from OPEN up to VERIFICATION
    CAPA_APPROVE = "capa.approve"  # plan, effectiveness, closure: never what one wrote
    REJECTION_READ = "rejection.read"
    REJECTION_REPLAY = "rejection.replay"  # have refused messages decoded again
    PROFILE_WRITE = "profile.write"  # profiles, monitors, models
    CONFIGURATION_READ = "configuration.read"  # SLA policies, calendars, versions of profiles, retention: no records
    RETENTION_WRITE = "retention.write"  # ask how long readings and the like are kept: two people
    RETENTION_APPROVE = "retention.approve"  # another's change of it
    AUDIT_READ = "audit.read"
    USER_MANAGE = "user.manage"
    TOKEN_MANAGE = "token.manage"  # noqa: S105 - the name of a right
    WEBHOOK_READ = "webhook.read"  # endpoints and what was delivered to them
    WEBHOOK_REPLAY = "webhook.replay"  # have events delivered again
    WEBHOOK_MANAGE = "webhook.manage"  # who is told of what, and the secrets


# What everyone with business in the service sees. Customer is not among them, admin neither: he sees no records.
_SERVICE_READS = frozenset(
    {
        Permission.ACCOUNT_USE,
        Permission.HEALTH_READ,
        Permission.CUSTOMER_READ,
        Permission.STAFF_READ,
        Permission.DEVICE_READ,
        Permission.READING_READ,
        Permission.BREACH_READ,
        Permission.WORK_ORDER_READ,
    }
)
# Who works at a desk also sees by which rules the service runs.
_OFFICE_READS = _SERVICE_READS | {Permission.CONFIGURATION_READ}

ROLE_PERMISSIONS: dict[Role, frozenset[Permission]] = {
    Role.TECHNICIAN: _SERVICE_READS
    | {
        Permission.CUSTOMER_READ_CONTACTS,
        Permission.WORK_ORDER_NOTE,
        Permission.WORK_ORDER_WORK,
        Permission.WORK_ORDER_ATTACH,
        Permission.FIELD_ACTION_READ,
        Permission.COMPLAINT_WRITE,
    },
    Role.DISPATCHER: _OFFICE_READS
    | {
        Permission.CUSTOMER_READ_CONTACTS,
        Permission.BREACH_ACKNOWLEDGE,
        Permission.WORK_ORDER_CREATE,
        Permission.WORK_ORDER_NOTE,
        Permission.WORK_ORDER_TRIAGE,
        Permission.WORK_ORDER_ASSIGN,
        Permission.WORK_ORDER_ATTACH,
        Permission.WORK_ORDER_MERGE,
        Permission.PLAN_SKIP,
        Permission.COMPLAINT_READ,
        Permission.COMPLAINT_WRITE,
        Permission.FIELD_ACTION_READ,
        Permission.FIELD_ACTION_WORK,
        Permission.KPI_READ,
        Permission.APPROVAL_REQUEST_READ,
    },
    Role.SERVICE_MANAGER: _OFFICE_READS
    | {
        Permission.CUSTOMER_READ_CONTACTS,
        Permission.BREACH_ACKNOWLEDGE,
        Permission.DEVICE_SHELVE,
        Permission.WORK_ORDER_CREATE,
        Permission.WORK_ORDER_NOTE,
        Permission.WORK_ORDER_TRIAGE,
        Permission.WORK_ORDER_ASSIGN,
        Permission.WORK_ORDER_VERIFY,
        Permission.WORK_ORDER_CLOSE,
        Permission.WORK_ORDER_REOPEN,
        Permission.WORK_ORDER_CANCEL,
        Permission.CAPA_READ,
        Permission.REJECTION_READ,
        Permission.WORK_ORDER_ATTACH,
        Permission.WORK_ORDER_MERGE,
        Permission.TEMPLATE_WRITE,
        Permission.CERTIFICATE_WRITE,
        Permission.SLA_POLICY_WRITE,
        Permission.SLA_WAIVE,
        Permission.PLAN_WRITE,
        Permission.PLAN_SKIP,
        Permission.COMPLAINT_READ,
        Permission.COMPLAINT_WRITE,
        Permission.FIELD_ACTION_READ,
        Permission.FIELD_ACTION_WORK,
        Permission.KPI_READ,
        Permission.EXPORT_TAKE,
        Permission.EXPORT_APPROVE,
        Permission.APPROVAL_REQUEST_READ,
    },
    Role.QUALITY_ENGINEER: _OFFICE_READS
    | {
        Permission.WORK_ORDER_NOTE,
        Permission.CAPA_READ,
        Permission.CAPA_WORK,
        Permission.REJECTION_READ,
        Permission.WORK_ORDER_ATTACH,
        Permission.TEMPLATE_WRITE,
        Permission.COMPLAINT_READ,
        Permission.COMPLAINT_WRITE,
        Permission.VIGILANCE_ASSESS,
        Permission.FIELD_ACTION_READ,
        Permission.FIELD_ACTION_WRITE,
        Permission.KPI_READ,
        Permission.EXPORT_TAKE,
        Permission.APPROVAL_REQUEST_READ,
    },
    Role.QUALITY_APPROVER: _OFFICE_READS
    | {
        Permission.CAPA_READ,
        Permission.CAPA_DECIDE,
        Permission.CAPA_APPROVE,
        Permission.COMPLAINT_READ,
        Permission.VIGILANCE_DECIDE,
        Permission.FIELD_ACTION_READ,
        Permission.FIELD_ACTION_APPROVE,
        Permission.FIRMWARE_APPROVE,
        Permission.RETENTION_APPROVE,
        Permission.KPI_READ,
        Permission.EXPORT_TAKE,
        Permission.EXPORT_APPROVE,
        Permission.APPROVAL_REQUEST_READ,
    },
    Role.DATA_STEWARD: _OFFICE_READS
    | {
        Permission.CUSTOMER_READ_CONTACTS,
        Permission.DEVICE_REGISTER,
        Permission.REJECTION_READ,
        Permission.REJECTION_REPLAY,
        Permission.MASTER_DATA_WRITE,
        Permission.KEY_FIELD_APPROVE,
        Permission.EXPORT_TAKE,
        Permission.EXPORT_APPROVE,
        Permission.APPROVAL_REQUEST_READ,
    },
    Role.ENGINEER: _OFFICE_READS
    | {
        Permission.BREACH_ACKNOWLEDGE,
        Permission.DEVICE_REGISTER,
        Permission.DEVICE_CREDENTIALS,
        Permission.WORK_ORDER_NOTE,
        Permission.CAPA_READ,
        Permission.REJECTION_READ,
        Permission.REJECTION_REPLAY,
        Permission.PROFILE_WRITE,
        Permission.FIRMWARE_WRITE,
        Permission.FIELD_ACTION_READ,
        Permission.APPROVAL_REQUEST_READ,
    },
    Role.INTEGRATOR: _OFFICE_READS
    | {
        Permission.DEVICE_REGISTER,
        Permission.WORK_ORDER_CREATE,
        Permission.WORK_ORDER_NOTE,
        Permission.CAPA_READ,
        Permission.REJECTION_READ,
        Permission.MASTER_DATA_WRITE,
        Permission.COMPLAINT_WRITE,
        Permission.FIELD_ACTION_READ,
        Permission.WEBHOOK_READ,
        Permission.WEBHOOK_REPLAY,
    },
    Role.AUDITOR: _OFFICE_READS
    | {
        Permission.CAPA_READ,
        Permission.REJECTION_READ,
        Permission.AUDIT_READ,
        Permission.COMPLAINT_READ,
        Permission.FIELD_ACTION_READ,
        Permission.KPI_READ,
        Permission.EXPORT_TAKE,
        Permission.APPROVAL_REQUEST_READ,
        Permission.WEBHOOK_READ,
    },
    Role.CUSTOMER: frozenset(
        {
            Permission.ACCOUNT_USE,
            Permission.CUSTOMER_READ,
            Permission.DEVICE_READ,
            Permission.READING_READ,
            Permission.BREACH_READ,
            Permission.WORK_ORDER_READ,
        }
    ),
    Role.ADMIN: frozenset(
        {
            Permission.ACCOUNT_USE,
            Permission.HEALTH_READ,
            Permission.CONFIGURATION_READ,
            Permission.RETENTION_WRITE,
            Permission.RETENTION_APPROVE,
            Permission.APPROVAL_REQUEST_READ,
            Permission.DEVICE_CREDENTIALS,
            Permission.USER_MANAGE,
            Permission.TOKEN_MANAGE,
            Permission.WEBHOOK_READ,
            Permission.WEBHOOK_REPLAY,
            Permission.WEBHOOK_MANAGE,
        }
    ),
}


# What these change counts for every customer: an account that works for one has none of them, whatever its role.
EVERYBODYS = frozenset(
    {
        Permission.TEMPLATE_WRITE,
        Permission.CERTIFICATE_WRITE,
        Permission.SLA_POLICY_WRITE,
        Permission.PLAN_WRITE,
        Permission.FIRMWARE_WRITE,
        Permission.FIRMWARE_APPROVE,
        Permission.PROFILE_WRITE,
        Permission.RETENTION_WRITE,
        Permission.RETENTION_APPROVE,
        Permission.CAPA_DECIDE,
        Permission.CAPA_WORK,
        Permission.CAPA_APPROVE,
        Permission.MASTER_DATA_WRITE,
        Permission.KEY_FIELD_APPROVE,
        Permission.USER_MANAGE,
        Permission.TOKEN_MANAGE,
        Permission.WEBHOOK_MANAGE,
    }
)
_KNOWN_ROLES = frozenset(role.value for role in Role)


def find_permissions(roles: Iterable[str], *, of_one_customer: bool = False) -> frozenset[Permission]:
    """What somebody with these roles may do: the union. A role that this version does not know gives nothing, and an
    account that works for one customer changes nothing that counts for all."""
    given = frozenset[Permission]().union(*(ROLE_PERMISSIONS[Role(role)] for role in roles if role in _KNOWN_ROLES))
    return given - EVERYBODYS if of_one_customer else given


def find_roles_with(permission: Permission) -> list[str]:
    """The roles that give this right, by name."""
    return sorted(role.value for role, given in ROLE_PERMISSIONS.items() if permission in given)


def find_role_for(roles: Iterable[str], permission: Permission) -> Role | None:
    """The role that gives this right, the least powerful one where several do: what an audit event names."""
    known = [Role(role) for role in roles if role in _KNOWN_ROLES]
    giving = [role for role in known if permission in ROLE_PERMISSIONS[role]]
    return min(giving, key=lambda role: (len(ROLE_PERMISSIONS[role]), role.value), default=None)
