"""The small proof in every run of the suite: 300 occurrences, three workers, and harm all the time.

`make test-fleet` plays ten thousand, three hundred of them by the whole engine.
"""

from __future__ import annotations

import proof

from exhaustive import SEED, how_many

PATIENCE_SECONDS = 1500.0


def test_each_occurrence_ends_once_whatever_dies(tmp_path):
    tmp_path.chmod(0o755)
    drills, minutes, engine = 30, 10, how_many(1, 6)
    expected = drills * minutes + engine
    with proof.fleet(tmp_path / "fleet", drills, minutes, engine, 1) as made:
        proof.play(made, expected, seed=SEED, every=15, patience_seconds=PATIENCE_SECONDS)
        wrong, figures = proof.judge(made, expected)
        said = "\n".join(one.log.read_text(errors="replace")[-3000:] for one in made.machines)
    assert not wrong, f"{wrong}\n{figures}\n{said}"
    assert sum(made.harm.values()) >= 3, made.harm
    assert figures["verdicts"].get("passed", 0) > expected * 0.9, figures
