"""What the headline of every kind of result says: the kinds are those of `report_kinds`."""

from __future__ import annotations

LOST = "The orders database was lost at 22:13:20 UTC"
BACK = "users were served again 5.8 s later (5.7 to 5.9)"
THIRTY = "30 of 395 acknowledged writes, 0.8 s of them (0.7 to 1.0), did not come back"
UNMEASURED = "How much data was lost was not measured: the target has no markers."
BARE = "Recovery time and data loss were not measured: a bare experiment watches no target."

# Kind -> verdict, what the whole paragraph is, and how the next step begins.
SAID = {
    "passed": ("PASSED", f"{LOST}; {BACK}, objective 4 h. {THIRTY}, objective 1 h.", "what it rests on"),
    "nothing lost": (
        "PASSED",
        (
            f"{LOST}; {BACK}, objective 4 h. Not one of 395 acknowledged writes was lost, and no more than 153 ms of data, "
            "objective 1 h."
        ),
        "what it rests on",
    ),
    "rto missed": (
        "FAILED",
        f"{LOST}; {BACK}, objective 2 s: missed. {THIRTY}, objective 1 h. One gap was filed.",
        "GAP-ac01a104 (due 2026-04-01): See in the report where the time went.",
    ),
    "rpo missed": (
        "FAILED",
        f"{LOST}; {BACK}, objective 4 h. {THIRTY}, objective 100 ms: missed. One gap was filed.",
        "GAP-2e857b93",
    ),
    "straddling": (
        "UNKNOWN",
        (
            f"{LOST}; {BACK}, objective 5.8 s: unknown, as it lies between the two bounds. {THIRTY}, objective 1 h. "
            "One gap was filed."
        ),
        "GAP-5e649099 (due 2026-05-31): The interval lies on both sides",
    ),
    "unknown": (
        "UNKNOWN",
        (
            f"{LOST}; service was not restored for at least 4.6 s, and not seen to be after that (beats or load are "
            f"missing), objective 4 h: unknown whether met. {THIRTY}, objective 1 h. One gap was filed."
        ),
        "GAP-5e649099",
    ),
    "censored": (
        "UNKNOWN",
        (
            f"{LOST}; service was not restored for at least 19.6 s, and not seen to be after that, objective 60 s: "
            f"unknown whether met. {THIRTY}, objective 1 h. One gap was filed."
        ),
        "GAP-5e649099",
    ),
    "censored and missed": (
        "FAILED",
        (
            f"{LOST}; service was not restored for at least 19.6 s, and not seen to be after that, objective 5 s: missed. "
            f"{THIRTY}, objective 1 h. One gap was filed."
        ),
        "GAP-ac01a104",
    ),
    "everything lost": (
        "UNKNOWN",
        (
            f"{LOST}; {BACK}, objective 4 h. All 395 acknowledged writes, 10.1 s of them or more, did not come back, "
            "objective 1 h: unknown whether met. One gap was filed."
        ),
        "GAP-3733cf4c",
    ),
    "aborted before the fault": (
        "ABORTED (unknown)",
        (
            "The run was stopped by a person: somebody needs the system. Nothing was broken: the run ended before the "
            "fault began. So recovery time and data loss are not known. Four gaps were filed."
        ),
        "run it again: drillmark run drills/quarterly/orders-db-lost.yaml",
    ),
    "aborted": (
        "ABORTED (unknown)",
        (
            f"The run was stopped by a person: it looks wrong. {LOST}; service was not restored for at least 5.7 s, and "
            "not seen to be after that (the fault was undone before service was watched), objective 4 h: unknown whether "
            "met. How much data was lost is not known: nothing was read back. Five gaps were filed."
        ),
        "run it again",
    ),
    "refused": (
        "REFUSED",
        "Nothing was touched. The run was refused: target orders-db is busy: a run holds it.",
        "put right what stands above",
    ),
    "not at its end": (
        "UNKNOWN",
        (
            "Look at the system: the fault may still be there: the fault was never undone; nothing proves that the fault "
            f"is gone. {LOST}; service was not restored for at least 5.7 s, and not seen to be after that (the soak did "
            "not end), objective 4 h: unknown whether met. How much data was lost is not known: nothing was read back. "
            "Whether the data are whole is not known: nothing was read back. Four gaps were filed."
        ),
        "GAP-5e649099",
    ),
    "steady state not met": (
        "FAILED",
        (
            "Nothing was broken: the run ended before the fault began. The system was not in its steady state: orders are not "
            "answered. So recovery time and data loss are not known. Five gaps were filed."
        ),
        "GAP-3cb5e818",
    ),
    "preflight failed": (
        "FAILED",
        (
            "Nothing was broken: the run ended before the fault began. The preflight failed: restorable was not met (no "
            "restorable backup). So recovery time and data loss are not known. Four gaps were filed."
        ),
        "GAP-04506444 (due 2026-04-01): Make the backup job alert",
    ),
    "fault not proved": (
        "UNKNOWN",
        (
            "A fault was begun on orders-db at 22:13:20 UTC, and nothing proves that it took effect: db-was-restarted was "
            "not true. The fault was undone. Recovery time and data loss are not known. Three gaps were filed."
        ),
        "GAP-281df5d3",
    ),
    "effect not probed": (
        "PASSED",
        f"{LOST} (no probe proved it); {BACK}, objective 4 h. {THIRTY}, objective 1 h.",
        "what it rests on",
    ),
    "undo failed": (
        "FAILED",
        (
            f"Look at the system: the fault was not undone cleanly: mend: no route. {LOST}; {BACK}, objective 4 h. "
            f"{THIRTY}, objective 1 h. One gap was filed."
        ),
        "check the system by hand now",
    ),
    "verification failed": (
        "FAILED",
        (
            f"{LOST}; service was not restored for at least 5.8 s, and not seen to be after that (a verification failed), "
            f"objective 4 h: unknown whether met. {THIRTY}, objective 1 h. A verification failed: verify-0 failed. "
            "Two gaps were filed."
        ),
        "GAP-1772f4bc",
    ),
    "holes": (
        "FAILED",
        (
            f"{LOST}; {BACK}, objective 4 h. 33 of 395 acknowledged writes, 5.7 s of them (5.6 to 5.9), did not come "
            "back, objective 1 h. The data cannot be trusted: 3 holes (a later write survived). One gap was filed."
        ),
        "GAP-c894a30e (due 2026-03-09)",
    ),
    "split brain": (
        "FAILED",
        (
            f"{LOST}; {BACK}, objective 4 h. 32 of 390 acknowledged writes, 7.65 s of them (7.62 to 7.68), did not come "
            "back, objective 1 h. The data cannot be trusted: 2 writes taken by both primaries (split brain). "
            "One gap was filed."
        ),
        "GAP-c894a30e",
    ),
    "no markers": ("PASSED", f"{LOST}; {BACK}, objective 4 h. {UNMEASURED}", "what it rests on"),
    "no markers, an RPO stated": (
        "UNKNOWN",
        (
            f"{LOST}; {BACK}, objective 4 h. How much data was lost is not known: the target has no markers. "
            "One gap was filed."
        ),
        "GAP-3733cf4c",
    ),
    "by position": (
        "FAILED",
        (
            f"{LOST}; users were served again 1.6 s later (1.4 to 1.8), objective 4 h. By log position, which shows no "
            "holes, 5.1 s of data (4.7 to 5.6) did not come back, objective 1 s: missed. One gap was filed."
        ),
        "GAP-2e857b93",
    ),
    "load": ("PASSED", f"{LOST}; {BACK}, objective 4 h. {THIRTY}, objective 1 h.", "what it rests on"),
    "service level missed": (
        "FAILED",
        (
            f"{LOST}; service was not restored for at least 14.7 s, and not seen to be after that, objective 4 h: unknown "
            f"whether met. {THIRTY}, objective 1 h. Latency p95 was 400 ms, objective 200 ms: missed in soak. "
            "Two gaps were filed."
        ),
        "GAP-a44bbb7a (due 2026-04-01): Requests were slower",
    ),
    "one beat": (
        "FAILED",
        (
            "The orders database was lost between 22:13:20 and 22:13:21 UTC; service was not restored for at least 3.9 s, "
            "and not seen to be after that (beats or load are missing), objective 4 h: unknown whether met. 30 of 395 "
            "acknowledged writes, 1.2 s of them (0.7 to 1.7), did not come back, objective 1 h. The system was not in its "
            "steady state: beats are absent in the baseline. Two gaps were filed."
        ),
        "GAP-3cb5e818",
    ),
    "no recovery": ("PASSED", f"{LOST}; {BACK}, objective 30 s. {UNMEASURED}", "what it rests on"),
    "ended by undo": (
        "UNKNOWN",
        (
            f"{LOST}; users were without good service until the fault was undone, and had it again at once. {UNMEASURED} "
            "No objective was judged, so nothing is proved."
        ),
        "remove the reason above and run it again",
    ),
    "ended by undo, an RTO stated": (
        "FAILED",
        (
            f"{LOST}; users were without good service until the fault was undone (objective 30 s: missed), and had it "
            f"again at once. {UNMEASURED} One gap was filed."
        ),
        "GAP-ac01a104",
    ),
    "never back after the undo": (
        "FAILED",
        (
            f"{LOST}; users were without good service until the fault was undone, and were not seen to have it again, "
            f"objective 10 s: missed. {UNMEASURED} One gap was filed."
        ),
        "GAP-6d4cda37",
    ),
    "undo within hold": (
        "UNKNOWN",
        (
            f"{LOST}; how long it took until users were served again is not known: undo within hold. {UNMEASURED} "
            "One gap was filed."
        ),
        "GAP-5e649099 (due 2026-05-31): The fault was undone before a hold window could complete.",
    ),
    "users saw nothing": (
        "PASSED",
        (
            "The orders database was lost between 22:13:20 and 22:13:21 UTC; users saw nothing of it (at most 2.1 s), "
            f"objective 4 h. {UNMEASURED}"
        ),
        "what it rests on",
    ),
    "simulated": (
        "FAILED",
        (
            "The loss of orders-db was simulated at 22:13:20 UTC; a copy answered 1.8 s later (1.6 to 2.0), objective "
            "1 s: missed. 4 of 37 acknowledged writes, 0.5 s of them (0.4 to 0.6), are not in the copy, objective 1 s. "
            "Two gaps were filed."
        ),
        "GAP-",
    ),
    "simulated, production down": (
        "FAILED",
        (
            "The loss of orders-db was simulated at 22:13:20 UTC; a copy answered 6.5 s later (6.2 to 6.8), objective "
            "1 s: missed. 116 of 243 acknowledged writes, 2.35 s of them (2.33 to 2.37), are not in the copy, objective "
            "1 s: missed. Production did not keep its service level: production missed its service level during the "
            "simulated disaster. Three gaps were filed."
        ),
        "GAP-320c4aa8",
    ),
    "simulated, later log used": (
        "FAILED",
        (
            "The loss of orders-db was simulated at 22:13:20 UTC; a copy answered 1.1 s later (1.0 to 1.3), objective "
            "1 s: missed. Not one of 200 acknowledged writes was lost, and no more than 23.5 ms of data, objective 1 s. The "
            "data cannot be trusted: 9 writes that should not be there. Production kept its service level meanwhile. The "
            "copy was restored from what it must not use: log from after the disaster was used to restore. "
            "Three gaps were filed."
        ),
        "GAP-c894a30e",
    ),
    "simulated, never answered": (
        "FAILED",
        (
            "The loss of orders-db was simulated at 22:13:20 UTC; the copy was not good for at least 7.5 s, and not seen "
            "to be after that, objective 1 s: missed. All 193 acknowledged writes, 3.9 s of them or more, are not in the "
            "copy, objective 1 s: missed. Production kept its service level meanwhile. Two gaps were filed."
        ),
        "GAP-",
    ),
    "simulated, aborted before": (
        "ABORTED (unknown)",
        (
            "The run was stopped by a person: somebody needs the system. Nothing was broken: the run ended before the "
            "disaster was declared. So recovery time and data loss are not known. Three gaps were filed."
        ),
        "run it again",
    ),
    "simulated, aborted": (
        "ABORTED (failed)",
        (
            "The run was stopped by a person: it looks wrong. The loss of orders-db was simulated at 22:13:20 UTC; the "
            "copy was not good for at least 1.6 s, and not seen to be after that (the copy was taken away before service "
            "was watched), objective 1 s: missed. How much data was lost is not known: nothing was read back. Six gaps "
            "were filed."
        ),
        "run it again",
    ),
    "simulated, aborted and nothing known": (
        "ABORTED (unknown)",
        (
            "The run was stopped by a person: it looks wrong. The loss of orders-db was simulated at 22:13:20 UTC. The "
            "copy was taken away. Recovery time and data loss are not known. Three gaps were filed."
        ),
        "run it again",
    ),
    "simulated, copy left": (
        "FAILED",
        (
            "Look at the system: the copy was not taken away: the copy is not proved gone: it answers. The loss of "
            "orders-db was simulated at 22:13:20 UTC; a copy answered 1.8 s later (1.6 to 2.0), objective 1 s: missed. 4 "
            "of 37 acknowledged writes, 0.5 s of them (0.4 to 0.6), are not in the copy, objective 1 s. Three gaps were "
            "filed."
        ),
        "look for the copy by hand now: taking it away failed",
    ),
    "simulated, not at its end": (
        "FAILED",
        (
            "Look at the system: it is not known whether the copy is gone: the copy was never taken away; nothing proves "
            "that the copy is gone. The loss of orders-db was simulated at 22:13:20 UTC; the copy was not good for at "
            "least 1.6 s, and not seen to be after that (the soak did not end), objective 1 s: missed. How much data was "
            "lost is not known: nothing was read back. Five gaps were filed."
        ),
        "GAP-",
    ),
    "experiment": (
        "PASSED",
        f"The experiment was played to its end, its steady state was met and its rollbacks were run. {BARE}",
        "what it rests on",
    ),
    "experiment without a hypothesis": (
        "PASSED",
        f"The experiment was played to its end and its rollbacks were run. {BARE}",
        "what it rests on",
    ),
    "experiment deviated": (
        "FAILED",
        (
            "The system was not in its steady state: it deviated: it was not met after the method. The experiment was "
            f"played to its end and its rollbacks were run. {BARE} One gap was filed."
        ),
        "GAP-3cb5e818",
    ),
    "experiment interrupted": (
        "FAILED",
        (
            "The experiment failed: Chaos Toolkit ended it as interrupted. The experiment's steady state was met and its "
            f"rollbacks were run. {BARE} One gap was filed."
        ),
        "GAP-18823aa5",
    ),
    "imported": (
        "PASSED",
        (
            "The experiment was played to its end, its steady state was met and its rollbacks were run. It was imported "
            f"from a journal of `chaos run`: Drillmark watched nothing of it. {BARE}"
        ),
        "run the experiment with `drillmark experiment`",
    ),
}
