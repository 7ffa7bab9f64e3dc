"""Several marker writers: each is measured on its own, and the worst of them is the run's."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from drillmark.model.entry import Effect, Kind
from drillmark.model.evidence import Evidence, Table, Written
from drillmark.model.planned import PlannedMarkers
from drillmark.model.verdict import Outcome
from drillmark.report import document, sentences
from rig.journal import Journal
from rig.plain import Run, drill
from rig.store import Store
from rig.written import NEW, NEW_IDS, OLD, ledger, lo_hi, survivors

ALL = [*range(1, 12), *NEW_IDS]


def run(
    database: tuple[Table | None, Table | None],
    service: tuple[Table | None, Table | None],
    *,
    edit: Any = lambda _: None,
    plan: dict[str, Any] | None = None,
) -> Run:
    """A drill with two marker writers: `postgres`, and one named `service`."""

    def tables(evidence: Evidence) -> Evidence:
        writers = (PlannedMarkers(name="postgres", secrets="x"), PlannedMarkers(name="service", secrets="x"))
        written = {"postgres": Written(*database), "service": Written(*service)}
        return replace(evidence, plan=evidence.plan.model_copy(update={"markers": writers}), written=written)

    blank = Store(gone_at=0.0, recovery_point=None, new_from=7.0)
    base = {"drillmark": {"data_restored_ns": [Journal().at(5.0).monotonic_ns, Journal().at(5.2).monotonic_ns]}}
    return drill(store=blank, tables=tables, recover_data=base, edit=edit, plan=plan)


def test_the_worst_of_the_writers_is_the_runs_and_all_are_shown():
    made = run((ledger(OLD + NEW), survivors(ALL)), (ledger(OLD + NEW), survivors([*range(1, 8), *NEW_IDS])))
    measured = made.measured
    assert [(one.name, lo_hi(one.durations["rpa"])) for one in measured.writers] == [
        ("postgres", (0.0, 0.3)),
        ("service", (1.6, 2.3)),
    ]
    assert lo_hi(measured.rpa) == (1.6, 2.3)
    assert measured.writes is not None
    assert (measured.writes.acknowledged, measured.writes.lost, measured.writes.lost_ids) == (22, 4, ())
    assert measured.writers[1].writes is not None
    assert measured.writers[1].writes.lost_ids == (8, 9, 10, 11)
    assert measured.rpa.cited.samples == (
        "samples/ledger-postgres.dms",
        "samples/survivors-postgres.dms",
        "samples/ledger-service.dms",
        "samples/survivors-service.dms",
    )
    told = document.build(made.evidence.plan, made.evidence.entries, measured, made.verdict)
    assert [one["name"] for one in told["writers"]] == ["postgres", "service"]
    assert told["writers"][1]["writes"]["lost"] == 4
    lines = [text for text, _ in sentences.summary(told)]
    assert any(line.startswith("writes  postgres: 11 acknowledged, 0 lost") for line in lines), lines
    assert any(line.startswith("writes  service: 11 acknowledged, 4 lost") for line in lines), lines


@pytest.mark.parametrize(
    ("rpo", "outcome", "parts"),
    [
        (5.0, "passed", ["passed", "passed"]),
        (2.0, "unknown", ["passed", "unknown"]),
        (1.0, "failed", ["passed", "failed"]),
    ],
)
def test_rpo_is_judged_on_each_and_the_worst_counts(rpo: float, outcome: str, parts: list[str]):
    lost = (ledger(OLD + NEW), survivors([*range(1, 8), *NEW_IDS]))
    made = run((ledger(OLD + NEW), survivors(ALL)), lost, plan={"rpo": rpo})
    judged = made.verdict.of("rpo")
    assert judged is not None
    assert (str(judged.outcome), [str(part.outcome) for part in judged.parts]) == (outcome, parts)


def test_what_one_writer_cannot_tell_the_other_does_not_vouch_for():
    def unread(journal: Journal) -> None:
        journal.entries = [
            replace(entry, data=entry.data | {"status": "failed", "unread": {"service": "no answer"}})
            if entry.effect is Effect.READ_BACK and entry.kind is Kind.OUTCOME
            else entry
            for entry in journal.entries
        ]

    made = run((ledger(OLD + NEW), survivors([*range(1, 8), *NEW_IDS])), (ledger(OLD), None), edit=unread)
    # What the database lost was lost for certain; how much the service lost nobody knows.
    assert lo_hi(made.measured.rpa) == (1.6, None)
    assert "service: nothing was read back: no answer" in made.measured.rpa.reason
    assert made.measured.writes is None
    assert (made.outcome("rpo"), made.outcome("integrity")) == ("unknown", "unknown")
    assert run((ledger(OLD + NEW), survivors(ALL)), (ledger(OLD), None), edit=unread).outcome("integrity") == "unknown"


def test_what_spoils_one_writer_fails_the_run():
    holes = (ledger(OLD + NEW), survivors([one for one in ALL if one != 3]))
    made = run((ledger(OLD + NEW), survivors(ALL)), holes)
    judged = made.verdict.of("integrity")
    assert judged is not None
    assert (judged.outcome, judged.reason) == (Outcome.FAILED, "service: holes: 1")
    assert [(part.name, str(part.outcome)) for part in judged.parts] == [("postgres", "passed"), ("service", "failed")]


def test_a_writer_that_died_widens_its_own_number_alone():
    def died(journal: Journal) -> None:
        journal.add_event(1.0, "markers_died", writer="service", error="x")
        journal.entries.append(replace(journal.entries.pop(), sequence=5))

    made = run((ledger(OLD + NEW), survivors(ALL)), (ledger(OLD), survivors(range(1, 12))), edit=died)
    postgres, service = made.measured.writers
    assert lo_hi(postgres.durations["rpa"]) == (0.0, 0.3)
    assert service.durations["rpa"].flags == ("ledger not closed",)
    assert lo_hi(made.measured.rpa) == lo_hi(service.durations["rpa"])
