"""Secrets of a docker-compose installation, made once. Needs Python 3 and nothing else.

python3 deploy/accounts.py init    writes .env and secrets/dynamic-security.json with random passwords

The second holds the broker's first accounts: one that manages accounts, ingest's, and service-link's, which tells
devices of their updates. Mosquitto takes a copy of it at
its first start and keeps the accounts itself from then on. Those of devices and gateways are made by
`docker compose run --rm api forewarn devices credentials SERIAL`.
"""

import argparse
import base64
import hashlib
import json
import os
import secrets
import sys
from pathlib import Path

ADMIN = "forewarn-admin"
INGEST = "forewarn-ingest"
SERVICE = "forewarn-service"
ITERATIONS = 101  # Mosquitto's own default; the passwords are 192 random bits, so a slow hash adds nothing
HASH_BYTES = 64
# What ingest hears; a shared subscription is a filter of its own to the plugin. It asks Sparkplug nodes for births.
HEARD = ("forewarn/v1/#", "v1/gateway/#", "spBv1.0/#")
SAID = ("spBv1.0/+/NCMD/+", "spBv1.0/+/DCMD/+/+", "spBv1.0/STATE/+")
# What service-link tells devices, and gateways for the devices behind them; it hears nothing.
TOLD = ("forewarn/v1/+/down/#", "forewarn/v1/gateway/+/down/#")
CONTROL = "$CONTROL/dynamic-security/#"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path(), help="where .env and secrets/ lie; here by default")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("init", help="make .env and secrets/dynamic-security.json")
    return make_installation(parser.parse_args(arguments).folder)


def make_installation(folder: Path) -> int:
    """Writes both files, or changes nothing when one of them is there."""
    environment, accounts = folder / ".env", folder / "secrets" / "dynamic-security.json"
    for path in (environment, accounts):
        if path.exists():
            sys.stderr.write(f"{path} is there already; nothing was changed.\n")
            return 1
    admin, ingest, service = make_password(), make_password(), make_password()
    accounts.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    accounts.parent.chmod(0o700)
    # The broker's account in the container must read it, and only the folder keeps others of this machine out.
    write(accounts, json.dumps(find_first_accounts(admin, ingest, service), indent=2) + "\n", 0o644)
    write(
        environment,
        "# Secrets of this installation, made by deploy/accounts.py. Keep them out of version control.\n"
        # Whatever the folder of the checkout is called, volumes and networks keep their names.
        "COMPOSE_PROJECT_NAME=forewarn\n"
        f"POSTGRES_PASSWORD={make_password()}\n"
        f"FOREWARN_DB_OWNER_PASSWORD={make_password()}\n"
        f"FOREWARN_DB_PASSWORD={make_password()}\n"
        f"FOREWARN_MQTT_PASSWORD={ingest}\n"
        f"FOREWARN_MQTT_SERVICE_PASSWORD={service}\n"
        f"FOREWARN_MQTT_ADMIN_PASSWORD={admin}\n",
        0o600,
    )
    sys.stdout.write(f"Wrote {environment} and {accounts}.\n")
    return 0


def find_first_accounts(admin: str, ingest: str, service: str) -> dict[str, object]:
    """The plugin's configuration: three accounts, each with its role, and nothing allowed to anybody else."""
    heard = [*HEARD, *(f"$share/+/{topic}" for topic in HEARD)]
    return {
        "clients": [find_client(ADMIN, admin), find_client(INGEST, ingest), find_client(SERVICE, service)],
        "roles": [
            {
                "rolename": ADMIN,
                "acls": [
                    find_acl(kind, CONTROL)
                    for kind in ("publishClientSend", "publishClientReceive", "subscribePattern")
                ],
            },
            {
                "rolename": INGEST,
                "acls": [
                    *(find_acl("subscribePattern", topic) for topic in heard),
                    *(find_acl("publishClientReceive", topic) for topic in HEARD),
                    *(find_acl("publishClientSend", topic) for topic in SAID),
                ],
            },
            {"rolename": SERVICE, "acls": [find_acl("publishClientSend", topic) for topic in TOLD]},
        ],
        "defaultACLAccess": {
            "publishClientSend": False,
            "publishClientReceive": False,
            "subscribe": False,
            "unsubscribe": True,
        },
    }


def find_acl(kind: str, topic: str) -> dict[str, object]:
    return {"acltype": kind, "topic": topic, "priority": 0, "allow": True}


def find_client(name: str, password: str) -> dict[str, object]:
    """An account whose role has its name; the password as PBKDF2 with HMAC-SHA512."""
    salt = secrets.token_bytes(12)
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, ITERATIONS, HASH_BYTES)
    return {
        "username": name,
        "password": base64.b64encode(digest).decode(),
        "salt": base64.b64encode(salt).decode(),
        "iterations": ITERATIONS,
        "roles": [{"rolename": name}],
    }


def make_password() -> str:
    """192 random bits that need no quoting in a URL or an environment file."""
    return secrets.token_urlsafe(24)


def write(path: Path, text: str, mode: int) -> None:
    """The file holds the text with that mode."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w", encoding="utf-8") as file:
        os.fchmod(file.fileno(), mode)
        file.write(text)


if __name__ == "__main__":
    sys.exit(main())
