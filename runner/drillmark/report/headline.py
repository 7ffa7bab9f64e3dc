"""The one thing that everybody reads of a run: verdict, what happened, why, and what to do next. Pure.

Built from `result.json` alone, so that page, terminal and `report.md` say the same. Must never claim what the facts do
not carry: a sentence is there because a fact is, and what is missing is called not known.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from drillmark.report import clauses, words

Document = dict[str, Any]

_SHOWN = 3
_STOPPERS = {
    "person": "a person",
    "kill_switch": "the kill switch",
    "guard": "a guard of the drill",
    "runner": "Drillmark itself",
    "signal": "a signal",
}


@dataclass(frozen=True, slots=True)
class Headline:
    """A run in ten seconds. Plain text, harmless for a terminal; whoever shows it elsewhere escapes it.

    Attributes:
        verdict: `PASSED`, `FAILED`, `UNKNOWN`, `ABORTED (unknown)`, `REFUSED`.
        happened: what happened, in sentences; the first is the one to read.
        why: why it is not passed, as far as `happened` does not say it; none where it is.
        then: the one thing to do next.
    """

    verdict: str
    happened: tuple[str, ...]
    why: tuple[str, ...]
    then: str

    @property
    def text(self) -> str:
        """Everything but the verdict and what to do next, as one paragraph."""
        return " ".join((*self.happened, *self.why))


def tell(document: Document) -> Headline:
    """The headline of a result."""
    happened, why = _story(document)
    return Headline(
        verdict_words(document),
        tuple(clauses.sentence(text) for text in happened if text),
        tuple(clauses.sentence(text) for text in why if text),
        next_step(document),
    )


def verdict_words(document: Document) -> str:
    """`PASSED`, `FAILED`, `UNKNOWN`, `ABORTED (unknown)`, `REFUSED`."""
    if document["refused"]:
        return "REFUSED"
    verdict = str(document["verdict"])
    return f"ABORTED ({words.outcome(verdict)})" if document["aborted"] else words.outcome(verdict).upper()


def next_step(document: Document) -> str:
    """One thing to do now."""
    if document["refused"]:
        return "put right what stands above, then run it again"
    if clauses.verdict_on(document, "undo") == "failed":
        return clauses.undo(document).by_hand
    if document.get("imported"):
        return "run the experiment with `drillmark experiment`, or make a drill of it: an import measures nothing"
    if document["verdict"] == "passed" and not document["aborted"]:
        why = "" if document["mode"] == "experiment" else " --why rto"
        return f"what it rests on: drillmark show {document['run']}{why}"
    return _again(document)


def _again(document: Document) -> str:
    """What to do before it is run again."""
    bare = document["mode"] == "experiment"
    again = f"drillmark {'experiment' if bare else 'run'} {words.harmless(str(document['source']))}"
    worst = worst_gap(document)
    if document["aborted"]:
        return f"run it again: {again}"
    if worst is not None:
        return f"{worst['id']} (due {worst['due']}): {words.harmless(worst['recommendation'])}"
    if document["verdict"] == "failed":
        return f"put right what failed, then run it again: {again}"
    return f"remove the reason above and run it again, as an unknown is no pass: {again}"


def worst_gap(document: Document) -> Document | None:
    """The open gap to look at first."""
    rank = {"high": 0, "medium": 1, "low": 2}
    kinds = {"failed": 0, "missed": 1, "undetected": 1, "unmeasured": 2}
    still_open = [gap for gap in document["gaps"] if gap["state"] == "open"]
    return min(still_open, key=lambda gap: (rank[gap["severity"]], kinds[gap["kind"]]), default=None)


def _story(document: Document) -> tuple[list[str], list[str]]:
    if document["refused"]:
        return ["nothing was touched", f"the run was refused: {_said_by(document, 'refused')[1]}"], []
    if document["mode"] == "experiment":
        return _bare(document)
    if not clauses.injected(document):
        return _before_the_fault(document)
    told = {"rto", "rpo", "undo"} | ({"integrity"} if document["writes"] else set())
    if document["rto"]["reason"] == clauses.ENDED_BY_UNDO:
        told.add("after_undo")
    happened = [*_undo(document), *_stopped(document)]
    opening = clauses.struck(document)
    if document["stamps"].get("t0") is None or (document["aborted"] and not _known(document)):
        happened += [opening, _gone(document)]
        why = ["recovery time and data loss are not known"] if not _known(document) else clauses.lost(document)
        return happened, [*why, *_others(document, told | {"fault"}), *clauses.filed(document)]
    happened += [f"{opening}; {clauses.served(document)}", *clauses.lost(document), *_production(document)]
    return happened, [*_others(document, told), *_nothing_judged(document), *clauses.filed(document)]


def _nothing_judged(document: Document) -> list[str]:
    judged = "no objective was judged"
    return [f"{judged}, so nothing is proved"] if judged in document["reasons"] else []


def _known(document: Document) -> bool:
    """Whether anything of recovery time or data loss is known."""
    return any(document[key]["observed_seconds"] is not None for key in ("rto", "rpo"))


def _bare(document: Document) -> tuple[list[str], list[str]]:
    """A bare experiment: what Chaos Toolkit says of it, and no more."""
    passed = {item["name"] for item in document["objectives"] if item["verdict"] == "passed"}
    parts = {
        "experiment": " was played to its end",
        "steady_state": "'s steady state was met",
        "undo": "'s rollbacks were run",
    }
    seen = [text for key, text in parts.items() if key in passed]
    happened = [*_undo(document), *_stopped(document), *_others(document, {"rto", "rpo", "undo"})]
    if seen:
        said = [f"the experiment{seen[0]}", *(text.replace("'s", "its") for text in seen[1:])]
        happened.append(", ".join(said[:-1]) + (" and " if len(said) > 1 else "") + said[-1])
    elif not happened:
        happened.append("of the experiment nothing is known to have gone well")
    if document.get("imported"):
        happened.append("it was imported from a journal of `chaos run`: Drillmark watched nothing of it")
    happened.append("recovery time and data loss were not measured: a bare experiment watches no target")
    return happened, [*_nothing_judged(document), *clauses.filed(document)]


def _before_the_fault(document: Document) -> tuple[list[str], list[str]]:
    """Nothing was injected: the steady state was not met, a preflight failed, or somebody stopped it before."""
    stopped = _stopped(document)
    happened = [*stopped, f"nothing was broken: the run ended before {clauses.zero(document)}"]
    at_fault = ("preflight", "steady_state", "run")
    failed = [item for item in document["objectives"] if item["name"] in at_fault and item["verdict"] != "passed"]
    reasons = [clauses.fell_short(item) for item in failed if item["verdict"] in ("failed", "unknown")]
    if not reasons and not stopped:
        reasons = [clauses.reason(document["reasons"][0] if document["reasons"] else "")]
    return happened, [*reasons, "so recovery time and data loss are not known", *clauses.filed(document)]


def _undo(document: Document) -> list[str]:
    """A fault that may still be there comes before everything else."""
    item = next((item for item in document["objectives"] if item["name"] == "undo"), None)
    if item is None or item["verdict"] not in ("failed", "unknown"):
        return []
    called = clauses.undo(document)
    said = called.failed if item["verdict"] == "failed" else called.doubtful
    return [f"look at the system: {said}: {clauses.reason(item['reason'])}"]


def _gone(document: Document) -> str:
    return clauses.undo(document).done if clauses.undone(document) else ""


def _stopped(document: Document) -> list[str]:
    if not document["aborted"]:
        return []
    by, why = _said_by(document, "aborted")
    return [f"the run was stopped{f' by {by}' if by else ''}: {why}"]


def _said_by(document: Document, what: str) -> tuple[str, str]:
    """Who stopped it, and why: of `aborted: person: it went wrong`."""
    said = next((str(text) for text in document["reasons"] if str(text).startswith(f"{what}: ")), "")
    said = said.removeprefix(f"{what}: ")
    by, _, why = said.partition(": ")
    if by in _STOPPERS and why:
        return _STOPPERS[by], clauses.reason(why)
    first = str(document["reasons"][0]) if document["reasons"] else ""
    return "", clauses.reason(said or first)


def _production(document: Document) -> list[str]:
    if not clauses.simulated(document):
        return []
    kept = clauses.verdict_on(document, "production") == "passed"
    return ["production kept its service level meanwhile"] if kept else []


def _others(document: Document, told: set[str]) -> list[str]:
    """Every other objective that failed; where none did, those that are unknown. The first few."""
    rest = [item for item in document["objectives"] if item["name"] not in told]
    failed = [item for item in rest if item["verdict"] == "failed"]
    doubtful = [item for item in rest if item["verdict"] == "unknown"]
    shown = failed or ([] if document["aborted"] or document["verdict"] != "unknown" else doubtful)
    said = [clauses.fell_short(item) for item in shown[:_SHOWN]]
    left = len(shown) - _SHOWN
    return [*said, f"{words.plural(left, 'more of these stands', 'more of these stand')} below"] if left > 0 else said
