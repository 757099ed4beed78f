"""The embedded PostgreSQL: passwords, recovery after a kill, left-overs, ends with its parent."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from domain.errors import ConfigurationError
from forewarn.child_process import end
from forewarn.embedded_postgres import (
    APP,
    DATABASE,
    OWNER,
    STOP_SIGNAL,
    Cluster,
    clear_way,
    load_cluster,
    prepare_cluster,
    start_server,
)
from forewarn.machine_memory import find_buffers_mib, load_memory_mib
from forewarn.plans import plan_database
from forewarn.settings import Settings
from tests.support.clusters import copy_cluster, temporary_folder
from tests.support.waiting import wait_until

PARENT_THAT_WAITS = """
import sys, time
from pathlib import Path
from forewarn.embedded_postgres import prepare_cluster, start_server
var = Path(sys.argv[1])
print(start_server(prepare_cluster(var), var / "log").pid, flush=True)
time.sleep(600)
"""


@pytest.fixture
def var() -> Iterator[Path]:
    with temporary_folder("forewarn-pg-") as folder:
        yield folder


@pytest.fixture
def cluster(var: Path) -> Cluster:
    return copy_cluster(var)


def test_what_was_committed_survives_sigkill_of_the_server(cluster: Cluster, var: Path) -> None:
    process = start_server(cluster, var / "log")
    with psycopg.connect(cluster.url(OWNER)) as conn:
        conn.execute("CREATE TABLE kept (number integer)")
        conn.execute("INSERT INTO kept VALUES (7)")
    process.kill()
    process.wait()
    assert (cluster.data / "postmaster.pid").exists(), "a killed server leaves its pid file"
    process = start_server(cluster, var / "log")
    try:
        with psycopg.connect(cluster.url(OWNER)) as conn:
            assert conn.execute("SELECT number FROM kept").fetchone() == (7,)
            assert conn.execute("SHOW fsync").fetchone() == ("on",)
            assert conn.execute("SHOW synchronous_commit").fetchone() == ("on",)
    finally:
        assert end(process, with_signal=STOP_SIGNAL, timeout_s=60), "an idle server stops in time"


def test_a_pid_file_whose_number_belongs_to_a_stranger_does_not_stop_a_start(cluster: Cluster, var: Path) -> None:
    (cluster.data / "postmaster.pid").write_text(f"{os.getppid()}\n{cluster.data}\n1\n5432\n\n\n\n")
    process = start_server(cluster, var / "log")
    end(process, with_signal=STOP_SIGNAL, timeout_s=60)


def test_memory_for_pages_follows_the_machine_or_the_setting(cluster: Cluster, var: Path) -> None:
    for chosen, expected in ((None, find_buffers_mib(load_memory_mib())), (64, 64)):
        plan = plan_database(Settings(var=var, database_buffers_mib=chosen), cluster)
        plan.log.parent.mkdir(exist_ok=True)
        process = plan.spawn()
        try:
            wait_until(cluster.is_ready, what="the server to accept connections")
            with psycopg.connect(cluster.url(OWNER)) as conn:
                found = conn.execute("SELECT pg_size_bytes(current_setting('shared_buffers')) >> 20").fetchone()
        finally:
            end(process, with_signal=STOP_SIGNAL, timeout_s=60)
        assert found == (expected,)


def test_only_the_right_password_opens(cluster: Cluster, var: Path) -> None:
    process = start_server(cluster, var / "log")
    try:
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(cluster.url(APP).replace(cluster.passwords[APP], "guess"))
        with psycopg.connect(cluster.url(APP)) as conn:
            assert conn.execute("SELECT current_user, current_database()").fetchone() == (APP, DATABASE)
            assert conn.execute("SELECT pg_has_role(current_user, 'forewarn_app', 'MEMBER')").fetchone() == (True,)
            assert conn.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").fetchone() == (False,)
    finally:
        end(process, with_signal=STOP_SIGNAL, timeout_s=60)


def test_data_and_secrets_are_closed_to_others(cluster: Cluster, var: Path) -> None:
    assert cluster.home.stat().st_mode & 0o077 == 0
    assert (var / "secrets").stat().st_mode & 0o077 == 0
    assert all(path.stat().st_mode & 0o077 == 0 for path in (var / "secrets").iterdir())


def test_another_process_finds_the_cluster_by_its_folder(cluster: Cluster, var: Path) -> None:
    found = load_cluster(var)
    assert found is not None
    assert found.url(APP) == cluster.url(APP)
    assert load_cluster(var / "elsewhere") is None


def test_a_path_too_long_for_a_socket_gives_a_password_protected_port(var: Path) -> None:
    long = var / ("long-" * 16)
    cluster = prepare_cluster(long)
    assert cluster.port is not None
    process = start_server(cluster, var / "log")
    try:
        found = load_cluster(long)
        assert found is not None
        with psycopg.connect(found.url(APP)) as conn:
            assert conn.execute("SELECT 1").fetchone() == (1,)
    finally:
        end(process, with_signal=STOP_SIGNAL, timeout_s=60)


def test_an_initialisation_that_was_cut_short_is_done_again(var: Path) -> None:
    first = copy_cluster(var)
    (first.data).rename(first.home / "data.partial")
    (first.home / "data.partial" / "PG_VERSION").unlink()
    again = prepare_cluster(var)
    end(start_server(again, var / "log"), with_signal=STOP_SIGNAL, timeout_s=60)


def test_data_of_another_major_version_are_refused_in_words(cluster: Cluster, var: Path) -> None:
    (cluster.data / "PG_VERSION").write_text("15\n")
    with pytest.raises(ConfigurationError, match="written by PostgreSQL 15"):
        prepare_cluster(var)


@pytest.mark.faults
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent died")
def test_the_server_does_not_outlive_a_killed_parent(cluster: Cluster, var: Path) -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT_THAT_WAITS, str(var)], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    server = psutil.Process(int(parent.stdout.readline()))
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    wait_until(lambda: not server.is_running(), what="the orphaned server to end")


@pytest.mark.faults
def test_a_server_left_behind_is_stopped_before_the_next_start(cluster: Cluster, var: Path) -> None:
    left = start_server(cluster, var / "log")
    clear_way(cluster)
    assert left.wait(60) == 0, "it was asked to shut down, not killed"
