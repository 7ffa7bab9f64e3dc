"""The sabotage that any drill can be put through: what is done to it, and why it must then turn red.

Each function takes the workspace and the drill, runs a sabotaged variant, and asserts exit code and reason. What it did
to the lab it takes back.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import yaml

import http_servers
import workspaces
from drillmark import lab as labs
from lab_helpers import SMALL_BYTES, order
from waiting import until

HERE = Path(__file__).parent
Twin = Callable[[Path, str], None]


def sabotage(func: str, kind: str = "action", **arguments: Any) -> dict[str, Any]:
    """An activity out of `sabotage.py`."""
    provider = {"type": "python", "module": "sabotage", "func": func, "arguments": arguments}
    if func.startswith("restore"):
        provider["secrets"] = ["orders-copy" if func.endswith("to_the_side") else "orders-db"]
    made = {"name": func.replace("_", "-"), "type": kind, "provider": provider}
    return made if kind == "action" else made | {"tolerance": True}


def run(workspace: Path, drill: str, **fields: Any) -> tuple[int, dict[str, Any]]:
    """Run a short variant without load; returns exit code and result."""
    # What is promised of the load is not asked for where there is none.
    own = {name: value for name, value in source(workspace, drill)["objectives"].items() if name != "slo"}
    fields = {"without": ["load"], "objectives": own} | fields
    path = workspaces.shorten(workspace, drill, **fields)
    done = workspaces.run(workspace, path, env={"PYTHONPATH": str(HERE)})
    assert done.returncode in (0, 1, 3, 4), done.stderr
    return done.returncode, workspaces.result(workspace)


def judged(result: dict[str, Any], name: str) -> dict[str, Any]:
    """The verdict on one objective."""
    return next(one for one in result["objectives"] if one["name"] == name)


def source(workspace: Path, drill: str) -> dict[str, Any]:
    """The drill as it is shipped."""
    return yaml.safe_load((workspace / drill).read_text())


def experiment(workspace: Path, drill: str, change: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """The drill's `fault`, with its experiment changed."""
    fault = source(workspace, drill)["fault"]
    body = yaml.safe_load((workspace / fault["experiment"]).read_text())
    change(body)
    path = "experiments/changed.yaml"
    (workspace / path).write_text(yaml.safe_dump(body))
    return fault | {"experiment": path}


def lab_of(workspace: Path) -> Any:
    """The workspace's lab, up."""
    done = workspaces.drillmark(workspace, "lab", "up")
    assert done.returncode == 0, done.stderr
    return labs.status(workspace / ".drillmark/lab")


def admin(lab: Any) -> psycopg.Connection[Any]:
    """A superuser's connection to the lab's database."""
    os.environ.update(lab.environment)

    def connected() -> psycopg.Connection[Any] | None:
        # The slots that are reserved for superusers may all be in use for a moment.
        with contextlib.suppress(psycopg.OperationalError):
            return psycopg.connect(lab.environment["ORDERS_ADMIN_DSN"], autocommit=True)
        return None

    return until(connected, "no superuser is let in")


def nothing_was_injected(result: dict[str, Any]) -> None:
    assert result["stamps"]["I"] is None


# Nothing is broken where the way back is not proved, in a drill that recovers nothing as well: the target asks for it.


def archiving_stopped(workspace: Path, drill: str) -> None:
    """An hour ago, scaled to seconds: the last restorable point is older than is allowed."""
    lab = lab_of(workspace)

    def ten_seconds(targets: dict[str, Any]) -> None:
        activities = targets["targets"]["orders-db"]["activities"]
        restorable = next(one for one in activities if one["name"] == "restorable")
        restorable["provider"]["arguments"]["within"] = "10s"

    before = (workspace / "targets.yaml").read_text()
    with admin(lab) as connection:
        connection.execute("alter system set archive_command = 'false'")
        connection.execute("select pg_reload_conf()")
        try:
            until = time.monotonic() + 13
            while time.monotonic() < until:
                order(lab)
                time.sleep(0.5)
            code, result = run(workspace, drill, targets=ten_seconds)
        finally:
            connection.execute("alter system reset archive_command")
            connection.execute("select pg_reload_conf()")
            (workspace / "targets.yaml").write_text(before)
            wait_for_archive(connection)
    assert (code, judged(result, "preflight")["verdict"]) == (1, "failed")
    assert "s old; 10s is allowed" in judged(result, "preflight")["reason"]
    nothing_was_injected(result)


def wait_for_archive(connection: psycopg.Connection[Any]) -> None:
    """Until what was held back is archived: the server tries again a minute after it gave up, or when it is woken."""
    name = connection.execute("select pg_walfile_name(pg_switch_wal())").fetchone()[0]
    # Not the file: the lab takes old log away, and a backup may come at any moment.
    newest = "select coalesce(last_archived_wal, '') from pg_stat_archiver"
    until(lambda: connection.execute(newest).fetchone()[0][:24] >= name, seconds=240)


def foreign_backup(workspace: Path, drill: str) -> None:
    """The newest backup is another system's."""
    lab = lab_of(workspace)
    other = labs.up(workspace / "other-lab", scale_bytes=SMALL_BYTES)
    foreign = lab.layout.backups / "foreign"
    try:
        shutil.copytree(other.layout.backups / other.last_backup, foreign)
        os.utime(foreign / "backup_manifest")
        code, result = run(workspace, drill)
    finally:
        labs.down(workspace / "other-lab")
        shutil.rmtree(foreign, ignore_errors=True)
    assert (code, judged(result, "preflight")["verdict"]) == (1, "failed")
    assert "system" in judged(result, "preflight")["reason"]
    nothing_was_injected(result)


# The steady state is the service's own, asked as users ask.


@contextlib.contextmanager
def lying_page() -> Iterator[str]:
    """A service that says that it is well, whatever it is asked."""

    class Handler(http_servers.Handler):
        def do_GET(self):
            self.answer(200, b'{"status": "ok", "database": "ok"}', Content_Type="application/json")

        do_POST = do_GET

    with http_servers.at(Handler) as url:
        yield url


@contextlib.contextmanager
def lying_service(port: int, keeps: Callable[[int], bool]) -> Iterator[str]:
    """The order service on that port, but for new markers: it says 201 to each, and stores those that it `keeps`."""

    class Handler(http_servers.Handler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.command == "POST" and self.path == "/markers" and not keeps(json.loads(body)["id"]):
                self.answer(201, b'{"source": "database"}', Content_Type="application/json")
                return
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            # Where the service says nothing, neither does this.
            with contextlib.suppress(OSError, http.client.HTTPException), contextlib.closing(connection):
                headers = {"Content-Type": self.headers["Content-Type"]} if "Content-Type" in self.headers else {}
                connection.request(self.command, self.path, body, headers)
                answer = connection.getresponse()
                content = answer.read()
                self.answer(answer.status, content, Content_Type=answer.headers["Content-Type"])

        do_GET = do_PUT = do_DELETE = do_POST

    with http_servers.at(Handler) as url:
        yield url


def run_at(workspace: Path, url: str, drill: str, **fields: Any) -> tuple[int, dict[str, Any]]:
    """Run it with the order service at another address."""
    before = (workspace / "targets.yaml").read_text()

    def led_there(targets: dict[str, Any]) -> None:
        targets["configuration"]["orders_url"] = url

    try:
        return run(workspace, drill, targets=led_there, **fields)
    finally:
        (workspace / "targets.yaml").write_text(before)


def health_page_lies(workspace: Path, drill: str) -> None:
    with lying_page() as url:
        code, result = run_at(workspace, url, drill)
    assert (code, judged(result, "steady_state")["verdict"]) == (1, "failed")
    nothing_was_injected(result)


# What observes must live, or what it did not see is unknown.


def with_first(workspace: Path, drill: str, *steps: dict[str, Any]) -> dict[str, Any]:
    """The drill's fields with these steps put in: after the fault where it recovers, else into its method."""
    body = source(workspace, drill)
    if "recover" in body:
        return {"recover": [*steps, *body["recover"]]}
    return {"fault": experiment(workspace, drill, lambda changed: changed["method"].extend(steps))}


def marker_writer_dead(workspace: Path, drill: str) -> None:
    """What the store acknowledged after its death nobody knows: the loss is not proved to be small."""
    fields = with_first(workspace, drill, sabotage("kill_child", role="markers"))
    code, result = run(workspace, drill, objectives={"rpo": "1s"}, **fields)
    assert code in (1, 4)
    assert judged(result, "rpo")["verdict"] in ("unknown", "failed")
    hi = result["rpo"]["observed_seconds"] and result["rpo"]["observed_seconds"]["hi"]
    assert hi is None or hi > 1


def prober_dead_for_a_while(workspace: Path, drill: str) -> None:
    """Six seconds without a beat, from the end of the recovery on, or over the fault of a check."""
    freeze = sabotage("freeze_child", role="prober", seconds=6)
    body = source(workspace, drill)
    if "recover" in body:
        fields: dict[str, Any] = {"recover": [*body["recover"], freeze]}
    else:
        fields = {"fault": experiment(workspace, drill, lambda changed: changed["method"].insert(0, freeze))}
    code, result = run(workspace, drill, objectives={"rto": "5s"}, **fields)
    observed = result["rto"]["observed_seconds"]
    assert code in (1, 4)
    assert judged(result, "rto")["verdict"] in ("unknown", "failed")
    assert observed is None or observed["hi"] is None or observed["hi"] - observed["lo"] > 4


def verification_fails(workspace: Path, drill: str) -> None:
    code, result = run(workspace, drill, verify=[sabotage("is_wrong", "probe")])
    assert (code, judged(result, "verification")["verdict"]) == (1, "failed")
    assert "is-wrong" in judged(result, "verification")["reason"]


def fault_did_not_take(workspace: Path, drill: str) -> None:
    def harmless(changed: dict[str, Any]) -> None:
        changed["method"] = [sabotage("do_nothing", seconds=0)]

    code, result = run(workspace, drill, fault=experiment(workspace, drill, harmless))
    assert code == 4
    assert "fault not proved" in json.dumps(result["objectives"])
    assert judged(result, "fault")["verdict"] == "unknown"


ALL: dict[str, Twin] = {
    twin.__name__: twin
    for twin in (
        archiving_stopped,
        foreign_backup,
        health_page_lies,
        marker_writer_dead,
        prober_dead_for_a_while,
        verification_fails,
        fault_did_not_take,
    )
}


# For drills that recover data.


def day_old_backup(workspace: Path, drill: str) -> None:
    """A restore of the backup alone, without the log since: 'successful', and old."""
    steps = source(workspace, drill)["recover"]
    code, result = run(
        workspace, drill, recover=[steps[0], sabotage("restore_without_log"), steps[2]], objectives={"rpo": "5s"},
        phases={"baseline": "8s"},
    )  # fmt: skip
    assert code == 1
    assert judged(result, "rpo")["verdict"] == "failed"
    assert result["rpo"]["observed_seconds"]["lo"] > 5


def log_ends_early(workspace: Path, drill: str) -> None:
    """Archiving stops just before the run, and nobody asks how old the last restorable point is: the loss tells."""
    lab = lab_of(workspace)
    with admin(lab) as connection:
        connection.execute("alter system set archive_command = 'false'")
        connection.execute("select pg_reload_conf()")
    try:
        code, result = run(workspace, drill, objectives={"rpo": "9s"}, phases={"baseline": "12s"})
    finally:
        lab = labs.status(workspace / ".drillmark/lab")
        with admin(lab) as connection:
            connection.execute("alter system reset archive_command")
            connection.execute("select pg_reload_conf()")
            wait_for_archive(connection)
    assert code == 1
    failed = {one["name"]: one["reason"] for one in result["objectives"] if one["verdict"] == "failed"}
    # To a position that the log does not reach there is no restore at all.
    assert "rpo" in failed or "the archived log ends at" in failed["actions"], failed


RECOVERED: dict[str, Twin] = {twin.__name__: twin for twin in (day_old_backup, log_ends_early)}


def held_by(lab: Any) -> list[Any]:
    """Every session that a fault's helper holds in the lab."""
    with admin(lab) as connection:
        return connection.execute("select pid from pg_stat_activity where application_name ~ '^drillmark '").fetchall()
