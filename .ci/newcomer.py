"""`make run` as a newcomer meets it: the console answers, a work order opens, Ctrl-C leaves nobody behind, a second
start goes on with the same data, a taken port is reported, and the README's marked commands work.

Run from the root of a checkout with its virtual environment. A block of the README is run when the line before it is
`<!-- ci -->`, in one shell, with the demonstration running.
"""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

START_S = 120.0
FIRST_WORK_ORDER_S = 60.0
STOP_S = 60.0
FOREWARN = str(Path(".venv/bin/forewarn").resolve())


class SurpriseError(Exception):
    """Something is not as a newcomer was promised."""


def main() -> int:
    folder = Path(tempfile.mkdtemp(prefix="forewarn-newcomer-"))
    folder.chmod(0o711)
    http, mqtt = find_free_port(), find_free_port()
    os.environ |= {
        "FOREWARN_VAR": str(folder / "var"),
        "FOREWARN_HTTP_PORT": str(http),
        "FOREWARN_MQTT_PORT": str(mqtt),
    }
    try:
        with demonstration(folder / "first.log", http) as first:
            token = command("tokens", "create", "--role", "auditor", "--name", "newcomer").strip()
            opened = wait_for(lambda: load_orders(http, token), FIRST_WORK_ORDER_S, "the first work order")
            say(f"first work order {time.monotonic() - first:.1f} s after the console answered: {opened[0]['code']}")
            refuse_second_start(http)
            doctor = json.loads(command("doctor", "--json"))
            if not doctor["healthy"]:
                raise SurpriseError(f"the doctor finds something wrong: {doctor}")
            sign_ins = (folder / "var" / "secrets" / "sign-in.txt").read_text()
            before = {order["code"] for order in opened}
        say("Ctrl-C left no process behind")
        with demonstration(folder / "second.log", http):
            after = {order["code"] for order in wait_for(lambda: load_orders(http, token), 30, "the work orders")}
            if not before <= after:
                raise SurpriseError(f"a second start lost {before - after}")
            if (folder / "var" / "secrets" / "sign-in.txt").read_text() != sign_ins:
                raise SurpriseError("a second start made other accounts")
            command("audit", "verify")
            say("a second start goes on with the same data")
            run_marked_commands(Path("README.md"))
    except SurpriseError as surprise:
        sys.stderr.write(f"\n{surprise}\n")
        for log in sorted([*folder.glob("*.log"), *folder.glob("var/log/*.log")]):
            sys.stderr.write(f"--- {log.name}\n{log.read_text(errors='replace')[-3000:]}\n")
        return 1
    finally:
        if (folder / "var" / "postgres").is_symlink():
            shutil.rmtree((folder / "var" / "postgres").resolve(), ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)
    return 0


@contextmanager
def demonstration(log: Path, http: int) -> Iterator[float]:
    """`make run` from its start to Ctrl-C; yields the instant at which the console answered."""
    began = time.monotonic()
    with log.open("wb") as output:
        make = subprocess.Popen(["make", "run"], stdout=output, stderr=subprocess.STDOUT, start_new_session=True)

    def is_ready() -> bool:
        if make.poll() is not None:
            raise SurpriseError(f"make run ended with {make.returncode}")
        return load_json(http, "/api/v1/health/ready") is not None

    children: list[psutil.Process] = []
    try:
        wait_for(is_ready, START_S, "the console")
        say(f"ready {time.monotonic() - began:.1f} s after `make run`")
        wait_for(lambda: "Console" in log.read_text(), START_S, "the welcome")
        children = psutil.Process(make.pid).children(recursive=True)
        if len(children) < 7:
            raise SurpriseError(f"only {len(children)} processes run: {[child.name() for child in children]}")
        yield time.monotonic()
    finally:
        if make.poll() is None:
            children += psutil.Process(make.pid).children(recursive=True)
            os.killpg(make.pid, signal.SIGINT)  # what a terminal does at Ctrl-C
        try:
            make.wait(STOP_S)
        except subprocess.TimeoutExpired:
            make.kill()
            raise SurpriseError(f"make run did not end within {STOP_S:g} s of Ctrl-C") from None
        _, alive = psutil.wait_procs(set(children), timeout=10)
        for process in alive:
            process.kill()
        if alive:
            raise SurpriseError(f"still running after Ctrl-C: {alive}")


def refuse_second_start(http: int) -> None:
    other = {"FOREWARN_VAR": os.environ["FOREWARN_VAR"] + "-other", "FOREWARN_MQTT_PORT": str(find_free_port())}
    done = subprocess.run([FOREWARN, "demo"], env=os.environ | other, capture_output=True, text=True, timeout=60)
    if done.returncode != 5 or f"Port {http}" not in done.stderr or "FOREWARN_HTTP_PORT" not in done.stderr:
        raise SurpriseError(f"a taken port was not reported: exit {done.returncode}, {done.stderr}")
    say(done.stderr.strip())


def run_marked_commands(readme: Path) -> None:
    blocks = re.findall(r"^<!-- ci -->\n+```(?:sh|bash|console)?\n(.*?)^```", readme.read_text(), re.M | re.S)
    if not blocks:
        raise SurpriseError("no command of the README is marked for CI")
    path = f"{Path('.venv/bin').resolve()}:{os.environ['PATH']}"
    for block in blocks:
        say(f"README:\n{block}")
        done = subprocess.run(["bash", "-euo", "pipefail", "-c", block], env=os.environ | {"PATH": path}, timeout=300)
        if done.returncode != 0:
            raise SurpriseError(f"a command of the README ended with {done.returncode}")


def command(*arguments: str) -> str:
    done = subprocess.run([FOREWARN, *arguments], capture_output=True, text=True, timeout=60)
    if done.returncode != 0:
        raise SurpriseError(f"forewarn {' '.join(arguments)} ended with {done.returncode}: {done.stderr}{done.stdout}")
    return done.stdout


def load_orders(http: int, token: str) -> list[dict[str, Any]]:
    answer = load_json(http, "/api/v1/work-orders", token)
    return [] if answer is None else answer["items"]


def load_json(http: int, path: str, token: str | None = None) -> Any:
    request = urllib.request.Request(f"http://127.0.0.1:{http}{path}")
    if token is not None:
        request.add_header("Authorization", f"Bearer {token}")
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return json.load(answer)
    except (urllib.error.URLError, OSError, ValueError):
        return None


def wait_for(condition: Callable[[], Any], timeout_s: float, what: str) -> Any:
    deadline = time.monotonic() + timeout_s
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise SurpriseError(f"waited {timeout_s:g} s in vain for {what}")
        time.sleep(0.25)
    return found


def find_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
