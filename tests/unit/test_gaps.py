"""The gap register: filed once, updated, closed by the retest that passes, never lost."""

from __future__ import annotations

from datetime import date

import pytest
import yaml

from drillmark import gaps
from drillmark.errors import GapRegisterError, UsageError
from drillmark.model.measurement import Cited
from drillmark.model.plan import Plan, Risk
from drillmark.model.stamp import Interval
from drillmark.model.target import PlannedTarget
from drillmark.model.verdict import Judged, Outcome, Verdict

TODAY = date(2026, 3, 2)
FIRST = "20260302T100000Z-orders-db-lost-aaaaaa"
SECOND = "20260303T100000Z-orders-db-lost-bbbbbb"
THIRD = "20260304T100000Z-orders-db-lost-cccccc"


def plan(**changes) -> Plan:
    fields = {
        "drill": "orders-db-lost",
        "title": "The orders database is lost",
        "owner": "team-orders",
        "source": "drills/orders-db-lost.yaml",
        "target": PlannedTarget(name="orders-db", environment="lab"),
        "risk": Risk(likelihood="low", impact="high"),
    }
    return Plan(**(fields | changes))


def judged(name="rto", outcome=Outcome.FAILED, **changes) -> Judged:
    fields = {
        "objective": 5.0,
        "observed": Interval(8.1, 8.4),
        "reason": "8.1 s is more than 5 s" if outcome is Outcome.FAILED else "",
        "cited": Cited(entries=(7, 19), samples=("samples/beats.dms",)),
    }
    return Judged(name, outcome, **(fields | changes))


def verdict(*all_judged: Judged, **changes) -> Verdict:
    order = (Outcome.FAILED, Outcome.UNKNOWN, Outcome.PASSED)
    worst = next((o for o in order if any(j.outcome is o for j in all_judged)), Outcome.UNKNOWN)
    return Verdict(**({"outcome": worst, "reasons": (), "judged": all_judged} | changes))


def file(workspace, run, said, today=TODAY, a_plan=None):
    return gaps.file(workspace, a_plan or plan(), run, said, None, today)


@pytest.fixture(autouse=True)
def a_workspace(tmp_path):
    (tmp_path / "drillmark.yaml").touch()


PASSED = verdict(judged(outcome=Outcome.PASSED, observed=Interval(3, 3.2)))


def test_a_missed_objective_files_one_gap_with_everything_in_it(tmp_path):
    (gap,) = file(tmp_path, FIRST, verdict(judged()))
    assert (gap.kind, gap.state, gap.severity, gap.owner, gap.due) == (
        "missed",
        "open",
        "medium",
        "team-orders",
        "2026-04-01",
    )
    assert gap.objective_value == "5 s"
    assert gap.observed.startswith("8.2 s (8.1 to 8.4)") or gap.observed.startswith("8.3 s (8.1 to 8.4)")
    assert gap.occurrences[0].evidence == ["journal entry 7", "journal entry 19", "samples/beats.dms"]
    assert gap.occurrences[0].at == "2026-03-02T10:00:00Z"
    assert "restore in parallel" in gap.recommendation
    (path,) = (tmp_path / "reports/gaps").glob("GAP-*.yaml")
    assert path.stem == gap.id == f"GAP-{gap.fingerprint[:8]}"
    assert yaml.safe_load(path.read_text())["observed"] == gap.observed


def test_filing_the_same_run_again_changes_no_byte(tmp_path):
    file(tmp_path, FIRST, verdict(judged()))
    (path,) = (tmp_path / "reports/gaps").glob("GAP-*.yaml")
    before = path.read_bytes()
    file(tmp_path, FIRST, verdict(judged()), today=date(2026, 5, 1))
    assert path.read_bytes() == before


def test_a_later_run_adds_an_occurrence_and_its_observation(tmp_path):
    file(tmp_path, FIRST, verdict(judged()))
    (gap,) = file(tmp_path, SECOND, verdict(judged(observed=Interval(9, 9.3))), today=date(2026, 3, 3))
    assert [seen.run for seen in gap.occurrences] == [FIRST, SECOND]
    assert gap.opened_by == FIRST
    assert gap.due == "2026-04-01"  # from the first time, not moved on by every failure
    assert "(9.0 to 9.3)" in gap.observed


def test_a_passing_retest_closes_and_is_named_and_a_failing_one_opens_again(tmp_path):
    file(tmp_path, FIRST, verdict(judged()))
    (closed,) = file(tmp_path, SECOND, PASSED)
    assert (closed.state, closed.closed_by) == ("closed", SECOND)
    (again,) = file(tmp_path, THIRD, verdict(judged()), today=date(2026, 6, 1))
    assert (again.state, again.closed_by, again.due) == ("open", None, "2026-07-01")
    assert [seen.run for seen in again.occurrences] == [FIRST, THIRD]


def test_filing_an_old_run_again_does_not_reopen_what_a_retest_closed(tmp_path):
    file(tmp_path, FIRST, verdict(judged()))
    file(tmp_path, SECOND, PASSED)
    file(tmp_path, FIRST, verdict(judged()))
    (stored,) = gaps.read(tmp_path)
    assert (stored.gap.state, stored.gap.closed_by) == ("closed", SECOND)


@pytest.mark.parametrize(
    "said",
    [
        verdict(judged(outcome=Outcome.PASSED), aborted=True),
        verdict(judged(outcome=Outcome.PASSED), judged("rpo", Outcome.UNKNOWN)),
        verdict(judged(outcome=Outcome.PASSED), judged("undo", objective=None, observed=None)),
        verdict(judged("rpo", Outcome.PASSED)),
        verdict(judged(outcome=Outcome.NOT_APPLICABLE), judged("rpo", Outcome.PASSED)),
        verdict(refused=True),
    ],
    ids=["aborted", "unknown", "failed", "not judged", "not applicable", "refused"],
)
def test_nothing_but_a_passed_run_that_judged_the_objective_closes(tmp_path, said):
    file(tmp_path, FIRST, verdict(judged()))
    file(tmp_path, SECOND, said)
    stored = {item.gap.objective: item.gap for item in gaps.read(tmp_path)}
    assert stored["rto"].state == "open"


def test_a_refused_run_files_nothing(tmp_path):
    assert file(tmp_path, FIRST, verdict(judged(outcome=Outcome.UNKNOWN), refused=True)) == []


def test_another_drill_or_target_closes_nothing(tmp_path):
    file(tmp_path, FIRST, verdict(judged()))
    file(tmp_path, SECOND, PASSED, a_plan=plan(drill="another"))
    file(tmp_path, SECOND, PASSED, a_plan=plan(target=PlannedTarget(name="other-db", environment="lab")))
    (stored,) = gaps.read(tmp_path)
    assert stored.gap.state == "open"


def test_an_unknown_is_a_gap_of_its_own_kind_and_the_pass_closes_both(tmp_path):
    file(tmp_path, FIRST, verdict(judged()))
    unknown = judged(outcome=Outcome.UNKNOWN, observed=None, reason="the prober died")
    (gap,) = file(tmp_path, SECOND, verdict(unknown))
    assert (gap.kind, gap.severity, gap.observed) == ("unmeasured", "low", "the prober died")
    assert "children/prober.log" in gap.recommendation
    assert len(gaps.read(tmp_path)) == 2
    assert {gap.state for gap in file(tmp_path, THIRD, PASSED)} == {"closed"}


@pytest.mark.parametrize(
    ("name", "outcome", "reason", "told", "never"),
    [
        ("steady_state", Outcome.FAILED, "it was not met before the method", "before anything was broken", "after"),
        ("steady_state", Outcome.FAILED, "it deviated: it was not met after the method", "after the method", "first"),
        ("steady_state", Outcome.FAILED, "it was missed during the method", "while the method ran", "first"),
        ("actions", Outcome.FAILED, "break: 403", "action of the experiment", "recovery"),
        ("actions", Outcome.FAILED, "recovery step copy-back: 403", "step of the recovery", "experiment"),
        ("actions", Outcome.UNKNOWN, "recovery step x was cut short (`repeatable: true`)", "may run twice", "standby"),
        ("rto", Outcome.FAILED, "the fault was undone before service was watched", "undone before", "standby"),
        ("rto", Outcome.UNKNOWN, "undone before restored, by the guard", "undone before", "standby"),
    ],
)
def test_advice_is_for_what_the_reason_says(tmp_path, name, outcome, reason, told, never):
    objective = 5.0 if name == "rto" else None
    said = judged(name, outcome, objective=objective, observed=None, reason=reason)
    (gap,) = file(tmp_path, FIRST, verdict(said))
    assert told in gap.recommendation
    assert never not in gap.recommendation


def test_a_condition_is_closed_by_a_passing_run_that_does_not_list_it(tmp_path):
    failed = judged("preflight", objective=None, observed=None, reason="no restorable backup")
    (gap,) = file(tmp_path, FIRST, verdict(failed))
    assert gap.kind == "failed"
    (closed,) = file(tmp_path, SECOND, PASSED)
    assert closed.closed_by == SECOND


@pytest.mark.parametrize(
    ("likelihood", "impact", "name", "outcome", "expected"),
    [
        ("low", "low", "rto", Outcome.FAILED, "low"),
        ("medium", "medium", "rto", Outcome.FAILED, "medium"),
        ("high", "medium", "rto", Outcome.FAILED, "high"),
        ("high", "high", "rto", Outcome.UNKNOWN, "medium"),
        ("low", "low", "rto", Outcome.UNKNOWN, "low"),
        ("medium", "medium", "undo", Outcome.FAILED, "high"),
    ],
)
def test_severity_comes_from_risk_and_verdict(tmp_path, likelihood, impact, name, outcome, expected):
    a_plan = plan(risk=Risk(likelihood=likelihood, impact=impact))
    (gap,) = file(tmp_path, FIRST, verdict(judged(name, outcome)), a_plan=a_plan)
    assert gap.severity == expected
    days = {"high": "2026-03-09", "medium": "2026-04-01", "low": "2026-05-31"}
    assert gap.due == days[expected]


def test_what_people_wrote_stays(tmp_path):
    file(tmp_path, FIRST, verdict(judged()))
    (path,) = (tmp_path / "reports/gaps").glob("GAP-*.yaml")
    text = path.read_text().replace("owner: team-orders", "owner: maria").replace("'2026-04-01'", "2026-12-24")
    path.write_text("# waiting for the new disks\n" + text + "ticket: OPS-7\n")
    (gap,) = file(tmp_path, SECOND, verdict(judged()))
    assert (gap.owner, gap.due) == ("maria", "2026-12-24")
    (stored,) = gaps.read(tmp_path)
    assert stored.extra == {"ticket": "OPS-7"}
    assert path.read_text().startswith("# waiting for the new disks\nid: GAP-")
    assert len(stored.gap.occurrences) == 2


@pytest.mark.parametrize("broken", ["a: [1\n", "a: 1\n\tb: 2\n", "- 1\n", "id: GAP-1\n", "", "\xff"])
def test_a_broken_file_is_named_kept_and_does_not_stop_the_others(tmp_path, broken):
    folder = tmp_path / "reports/gaps"
    folder.mkdir(parents=True)
    bad = folder / "GAP-00000000.yaml"
    bad.write_text(broken, encoding="latin-1")
    with pytest.raises(GapRegisterError, match=r"GAP-00000000\.yaml") as caught:
        file(tmp_path, FIRST, verdict(judged()))
    assert [gap.objective for gap in caught.value.gaps] == ["rto"]
    assert bad.read_text(encoding="latin-1") == broken
    assert len(list(folder.glob("GAP-*.yaml"))) == 2
    with pytest.raises(GapRegisterError):
        gaps.read(tmp_path)


def test_the_gaps_own_file_broken_is_not_overwritten(tmp_path):
    file(tmp_path, FIRST, verdict(judged()))
    (path,) = (tmp_path / "reports/gaps").glob("GAP-*.yaml")
    path.write_text("a: [1\n")
    with pytest.raises(GapRegisterError, match=r"GAP-.*yaml:2:1: not readable as YAML"):
        file(tmp_path, SECOND, verdict(judged()))
    assert path.read_text() == "a: [1\n"


def test_a_fingerprint_depends_on_all_four_and_on_nothing_else():
    one = gaps.fingerprint("d", "t", "rto", "missed")
    assert one == gaps.fingerprint("d", "t", "rto", "missed")
    others = [("x", "t", "rto", "missed"), ("d", "x", "rto", "missed"), ("d", "t", "x", "missed")]
    others += [("d", "t", "rto", "failed"), ("dt", "", "rto", "missed")]
    assert len({one, *(gaps.fingerprint(*other) for other in others)}) == 6


def test_control_characters_in_a_reason_come_into_no_file(tmp_path):
    file(tmp_path, FIRST, verdict(judged(observed=None, reason="\x1b[2Jgone\x00")))
    (path,) = (tmp_path / "reports/gaps").glob("GAP-*.yaml")
    assert not any(ord(sign) < 32 and sign != "\n" for sign in path.read_text())


def test_a_folder_that_cannot_be_written_is_a_clear_error(tmp_path):
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports/gaps").write_text("a file, not a folder")
    with pytest.raises(GapRegisterError, match="reports/gaps: cannot be written"):
        file(tmp_path, FIRST, verdict(judged()))


def test_two_runs_at_once_lose_nothing(tmp_path):
    from concurrent.futures import ThreadPoolExecutor

    names = [f"slo.latency.p{number}" for number in range(8)]
    runs = [f"20260302T1000{number:02d}Z-orders-db-lost-aaaaaa" for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda run: file(tmp_path, run, verdict(*(judged(name) for name in names))), runs))
    stored = gaps.read(tmp_path)
    assert len(stored) == 8
    assert all([seen.run for seen in item.gap.occurrences] == runs for item in stored)


def test_a_gap_gets_another_owner_and_what_people_wrote_beside_stays(tmp_path):
    root = tmp_path
    (gap,) = file(root, FIRST, verdict(judged()))
    path = root / "reports/gaps" / f"{gap.id}.yaml"
    path.write_text("# ours\n" + path.read_text() + "ticket: OPS-7\n")
    assert gaps.amend(root, gap.id, {"owner": "else"}) == gap.model_copy(update={"owner": "else"})
    text = path.read_text()
    assert text.startswith("# ours\n")
    assert yaml.safe_load(text)["ticket"] == "OPS-7"
    file(root, SECOND, PASSED)
    with pytest.raises(UsageError, match=f"{gap.id} is closed"):
        gaps.amend(root, gap.id, {"owner": "again"})
    (root / "reports/gaps/GAP-broken.yaml").write_text("id: [")
    with pytest.raises(GapRegisterError):
        gaps.amend(root, gap.id, {"owner": "again"})


def test_without_a_register_there_is_no_gap_to_amend(tmp_path):
    with pytest.raises(UsageError, match="there is no gap GAP-1"):
        gaps.amend(tmp_path, "GAP-1", {"owner": "x"})
