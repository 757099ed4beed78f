"""Secrets of a docker-compose installation, and accounts of the broker. Needs Python 3 and nothing else.

python3 deploy/accounts.py init            writes .env and secrets/mosquitto.passwd with random passwords, once
python3 deploy/accounts.py add SN-0001        an account for a device; prints its password once
python3 deploy/accounts.py add gateway/GW-1   an account for a gateway, with its user name: it may speak for any device
python3 deploy/accounts.py remove SN-0001     takes the account away

After `add` and `remove`, tell the broker: docker compose kill -s HUP mosquitto
"""

import argparse
import base64
import hashlib
import os
import re
import secrets
import sys
from pathlib import Path

INGEST = "forewarn-ingest"
NAME = re.compile(r"(gateway/)?[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
RESERVED = ("gateway", "v1", INGEST)  # words of the topics are nobody's serial
ITERATIONS = 101  # Mosquitto's own default; the passwords are 192 random bits, so a slow hash adds nothing
HASH_BYTES = 64


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path(), help="where .env and secrets/ lie; here by default")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("init", help="make .env and secrets/mosquitto.passwd")
    for name in ("add", "remove"):
        commands.add_parser(name, help=f"{name} the account of a device or gateway").add_argument("name")
    given = parser.parse_args(arguments)
    if given.command == "init":
        return make_installation(given.folder)
    return change_account(given.folder, given.name, remove=given.command == "remove")


def make_installation(folder: Path) -> int:
    """Writes both files, or changes nothing when one of them is there."""
    environment, passwords = folder / ".env", folder / "secrets" / "mosquitto.passwd"
    for path in (environment, passwords):
        if path.exists():
            return fail(f"{path} is there already; nothing was changed.")
    ingest = make_password()
    passwords.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    passwords.parent.chmod(0o700)
    # The broker's account in the container must read it, and only the folder keeps others of this machine out.
    write(passwords, f"{INGEST}:{hash_password(ingest)}\n", 0o644)
    write(
        environment,
        "# Secrets of this installation, made by deploy/accounts.py. Keep them out of version control.\n"
        # Whatever the folder of the checkout is called, volumes and networks keep their names.
        "COMPOSE_PROJECT_NAME=forewarn\n"
        f"POSTGRES_PASSWORD={make_password()}\n"
        f"FOREWARN_DB_OWNER_PASSWORD={make_password()}\n"
        f"FOREWARN_DB_PASSWORD={make_password()}\n"
        f"FOREWARN_MQTT_PASSWORD={ingest}\n",
        0o600,
    )
    sys.stdout.write(f"Wrote {environment} and {passwords}.\n")
    return 0


def change_account(folder: Path, name: str, *, remove: bool) -> int:
    """Adds an account with a random password, printed once, or removes it."""
    path = folder / "secrets" / "mosquitto.passwd"
    if not path.exists():
        return fail(f"{path} is missing: run `python3 deploy/accounts.py init` first.")
    if not NAME.fullmatch(name):
        return fail(
            "A name is 1 to 64 of A-Z a-z 0-9 . _ - and begins with a letter or digit; before a gateway's: gateway/"
        )
    if name in RESERVED:
        return fail(f"{name} is no name for a device.")
    lines = path.read_text(encoding="utf-8").splitlines()
    others = [line for line in lines if line.partition(":")[0] != name]
    if remove:
        if len(others) == len(lines):
            return fail(f"There is no account {name}.")
        write(path, "".join(f"{line}\n" for line in others), 0o644)
        return 0
    if len(others) != len(lines):
        return fail(f"There is an account {name} already; remove it first for a new password.")
    password = make_password()
    write(path, "".join(f"{line}\n" for line in [*lines, f"{name}:{hash_password(password)}"]), 0o644)
    sys.stdout.write(password + "\n")
    return 0


def make_password() -> str:
    """192 random bits that need no quoting in a URL or an environment file."""
    return secrets.token_urlsafe(24)


def hash_password(password: str) -> str:
    """Mosquitto's `$7$`: PBKDF2 with HMAC-SHA512."""
    salt = secrets.token_bytes(12)
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, ITERATIONS, HASH_BYTES)
    return f"$7${ITERATIONS}${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"


def write(path: Path, text: str, mode: int) -> None:
    """The file holds the text with that mode; written in place, as a container that mounts it keeps the same file."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w", encoding="utf-8") as file:
        os.fchmod(file.fileno(), mode)
        file.write(text)


def fail(sentence: str) -> int:
    sys.stderr.write(sentence + "\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
