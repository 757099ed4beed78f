"""Accounts of devices and gateways at the broker: what each is called there, and what it may say and hear."""

import re
from dataclasses import dataclass
from enum import StrEnum

GATEWAY_PREFIX = "gateway/"
SPARKPLUG_REPORTS = ("NBIRTH", "NDATA", "NDEATH")
SPARKPLUG_DEVICE_REPORTS = ("DBIRTH", "DDATA", "DDEATH")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}")
_RESERVED = frozenset({"gateway", "v1", "admin"})  # words of the topics, and of the broker's own administration
_OURS = "forewarn"  # accounts and client ids of the programs begin so


class AccountKind(StrEnum):
    """Whose account it is. Values stand in the database and never change."""

    DEVICE = "device"
    GATEWAY = "gateway"


class SignInMethod(StrEnum):
    """How the account shows who it is. Values stand in the database and never change."""

    PASSWORD = "password"  # noqa: S105 - the name of a method
    CERTIFICATE = "certificate"  # mutual TLS: the account's name is the common name; there is no password


@dataclass(frozen=True, slots=True)
class BrokerAccount:
    """An account of one device (its serial) or one gateway (its name)."""

    kind: AccountKind
    name: str
    thingsboard: bool = False  # a gateway that speaks on v1/gateway/..., where no topic says which gateway it is

    @property
    def username(self) -> str:
        """What it signs in as, and the common name of its certificate: a gateway is never taken for a device."""
        return self.name if self.kind is AccountKind.DEVICE else GATEWAY_PREFIX + self.name


@dataclass(frozen=True, slots=True)
class Rights:
    """Topic filters: what an account may publish, and what it may subscribe to and receive. Nothing else."""

    publish: tuple[str, ...]
    subscribe: tuple[str, ...]


def find_name_problem(account: BrokerAccount) -> str | None:
    """Why no account can be made under that name, or None: a name must be one level of a topic and not one of ours."""
    if not _NAME.fullmatch(account.name):
        return "is not 1 to 64 of A-Z a-z 0-9 . _ : - beginning with a letter or digit"
    if account.name in _RESERVED or account.name.lower().startswith(_OURS):
        return "is a word that Forewarn keeps for itself"
    return None


def find_rights(account: BrokerAccount) -> Rights:
    """What the account may do: below its own name, one level deep, so never in what is sent down to devices.

    A gateway's messages name the devices that it speaks for; whether they are assigned to it is checked by ingest.
    Source: Sparkplug 3.0, 4.1 (topics) and 5.10 (the host's state).
    """
    if account.kind is AccountKind.DEVICE:
        own = f"forewarn/v1/{account.name}"
        return Rights(publish=(f"{own}/+",), subscribe=(f"{own}/down/#",))
    own, edge = f"forewarn/v1/gateway/{account.name}", account.name
    publish = [f"{own}/+"]
    publish += [f"spBv1.0/+/{kind}/{edge}" for kind in SPARKPLUG_REPORTS]
    publish += [f"spBv1.0/+/{kind}/{edge}/+" for kind in SPARKPLUG_DEVICE_REPORTS]
    subscribe = [f"{own}/down/#", f"spBv1.0/+/NCMD/{edge}/#", f"spBv1.0/+/DCMD/{edge}/#", "spBv1.0/STATE/+", "STATE/+"]
    if account.thingsboard:
        publish.append("v1/gateway/+")
        subscribe += ["v1/gateway/attributes", "v1/gateway/attributes/response", "v1/gateway/rpc"]
    return Rights(tuple(publish), tuple(subscribe))
