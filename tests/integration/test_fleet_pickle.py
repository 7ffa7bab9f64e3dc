"""The database is never unpickled: whoever can write a row runs no code in a worker by it."""

from __future__ import annotations

import base64
import pickle
import sqlite3
import subprocess
import sys
from pathlib import Path

PROGRAM = Path(__file__).parents[1] / "fleet" / "planted.py"


class Payload:
    """Unpickled, it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def run(what: str, root: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(PROGRAM), what, str(root)], capture_output=True, text=True, timeout=240, check=True
    )


def test_a_planted_row_is_refused_and_the_others_are_performed(tmp_path):
    proof = tmp_path / "unpickled"
    text = base64.b64encode(pickle.dumps(Payload(proof))).decode()
    pickle.loads(base64.b64decode(text))
    assert proof.exists(), "the payload itself must work, or this test proves nothing"
    proof.unlink()
    run("plant", tmp_path)
    with sqlite3.connect(tmp_path / ".drillmark" / "dbos.sqlite3") as connection:
        for name, claims in (("planted@1", "py_pickle"), ("disguised@1", None)):
            # Where DBOS reads the arguments from; elsewhere they would lie unread, and prove nothing.
            held = connection.execute("select inputs from workflow_input where workflow_uuid = ?", (name,)).fetchone()
            assert name in held[0]
            connection.execute("update workflow_input set inputs = ? where workflow_uuid = ?", (text, name))
            connection.execute("update workflow_status set serialization = ? where workflow_uuid = ?", (claims, name))
    served = run("serve", tmp_path)
    assert not proof.exists()
    assert served.stdout.strip().splitlines()[-1] == "honest@1", served.stdout + served.stderr
