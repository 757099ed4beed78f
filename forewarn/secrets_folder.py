"""Random secrets of one installation, made on first use and readable by their owner alone."""

import os
import secrets
from pathlib import Path

FOLDER = "secrets"


def load_or_make_secret(var: Path, name: str) -> str:
    """The secret of that name below `var`; 32 random characters, the same at every later call, file mode 0600.

    Two processes that ask at the same moment get the same secret.
    """
    folder = var / FOLDER
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.chmod(0o700)
    path = folder / name
    if not path.exists():
        write_private(path, secrets.token_urlsafe(24) + "\n", replace=False)
    return path.read_text(encoding="utf-8").strip()


def write_private(path: Path, text: str, *, replace: bool = True) -> None:
    """The file holds `text` whole, with mode 0600, or what it held before; without `replace` an existing one stays."""
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    if replace:
        partial.replace(path)
        return
    try:
        os.link(partial, path)
    except FileExistsError:
        pass
    finally:
        partial.unlink()
