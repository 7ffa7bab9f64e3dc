"""What to do about a gap: one sentence or two for each objective, kind and reason.

Written for the person who has to act on it weeks later. Must never promise that the advice suffices.
"""

from __future__ import annotations

from drillmark.model.verdict import Judged

# What a reason's words point at comes first, whatever the objective.
_BY_REASON: dict[str, str] = {
    "repeatable": (
        "The runner was lost in a recovery step that does not say `repeatable: true`, so `resume` undid the fault "
        "instead of going on. Where the step looks first at what is there and may run twice, say so in the drill; "
        "then run again."
    ),
    "straddles": (
        "The interval lies on both sides of the objective: sample faster (observe.probes.every, "
        "observe.markers.every) or shorten what the observers cannot see, then run again."
    ),
    "no restorable": (
        "Make the backup job alert when it fails, prove each backup with a checksum, and take a new "
        "base backup now: until then this store cannot be brought back."
    ),
    "backup": (
        "Look at the newest backup and its log archive: verify them on a schedule, alert on the first "
        "failure, and keep more than one good generation."
    ),
    "archive": (
        "Close the hole in the log archive: alert on archiving failures, and take a new base backup, "
        "as nothing after the hole can be restored."
    ),
    "prober": (
        "The prober did not watch all the time. Read children/prober.log of the run, give it its own "
        "machine or more CPU, and run again."
    ),
    "absence": (
        "Beats are missing, so an outage may hide there. Find what stalled the prober (CPU, network, "
        "its own log) and run again."
    ),
    "load": (
        "The load died or stalled. Read children/load.log of the run, check the locustfile against "
        "the service, and run again."
    ),
    "fault not proved": (
        "The effect probe was never true. Check that the experiment did what it says, and that the "
        "probe can be asked, and tests what lasts until the undo."
    ),
    "lasted until its undo is not known": (
        "The effect probe gave no answer when the undo began. Give it a way to ask while the fault is in effect, "
        "and run again."
    ),
    "undo within hold": (
        "The fault was undone before a hold window could complete. Make phases.fault longer than the "
        "time to recover plus phases.hold."
    ),
    "deviated": (
        "The steady state was not met after the method: the system does not withstand the fault, or was not back "
        "when the experiment looked. Find what stayed broken; if it only needs longer, let the experiment wait before "
        "it looks."
    ),
    "missed during the method": (
        "The steady state was lost while the method ran. Find what users depend on there that the fault takes away, "
        "and give it a second place or a time-out."
    ),
    "marker": (
        "Markers could not be written or read back. Check the store's secrets and the marker table, and run again."
    ),
    # After all that an error of it may point at.
    "recovery step": (
        "A step of the recovery failed or did not end, so the system was not recovered as planned. Repair that step, "
        "try it alone, and run again."
    ),
}

_BY_OBJECTIVE: dict[tuple[str, str], str] = {
    ("rto", "missed"): (
        "See in the report where the time went. Copying long: restore in parallel, from nearer or "
        "faster storage, or keep a standby. Replaying long: take base backups more often. Deciding "
        "long: automate the switch-over or rehearse the runbook."
    ),
    ("rto", "unmeasured"): (
        "No recovery time can be claimed for this target. Remove what kept it from being measured, "
        "and run again before the next change."
    ),
    ("rpo", "missed"): (
        "Acknowledged writes did not come back. Shorten the interval at which the log is archived "
        "(archive_timeout), stream it (pg_receivewal, a replica), or make commits wait for a second "
        "place (synchronous_standby_names)."
    ),
    ("rpo", "unmeasured"): (
        "How much data would be lost is not known. Make sure that markers are written through the "
        "whole scenario and can be read back from the restored store, and run again."
    ),
    ("integrity", "failed"): (
        "The restored data has holes, writes nobody attempted, or two primaries took writes. Fence "
        "the old primary before the switch-over, check the log archive for gaps, and compare the "
        "restored store before it serves."
    ),
    ("undo", "failed"): (
        "The undo did not go well. Check the system by hand now, repair the experiment's rollbacks (in a simulated "
        "disaster the target's discard), and try them alone before the next drill."
    ),
    ("experiment", "failed"): (
        "Chaos Toolkit gave the experiment up. Read the exception in its journal, repair the experiment or the control "
        "that stopped it, and run it again."
    ),
    ("actions", "failed"): (
        "An action of the experiment failed, so the scenario was not the one that was planned. Repair it and run again."
    ),
    ("verification", "failed"): (
        "The restored system did not pass its checks, so it counts as not restored. Compare the data "
        "with the source and find which step of the recovery loses or changes it."
    ),
    ("steady_state", "failed"): (
        "The system missed its objectives before anything was broken. Bring it to its steady state "
        "first, or state objectives that it can meet."
    ),
    ("preflight", "failed"): (
        "A condition for the drill was not met, and nothing was injected. Put it right, and let the "
        "same check run on a schedule: on the day of the disaster it would have been too late."
    ),
    ("production", "failed"): (
        "Production suffered from a drill that should not touch it. Restore on another machine, limit what "
        "the copy takes (jobs, memory, disk), and look at what else happened at that time."
    ),
    ("source", "failed"): (
        "The restore used what would not exist after a real disaster. Let it read the frozen listing "
        "(${drillmark_source}) and nothing else, and run again."
    ),
    ("source", "unmeasured"): (
        "Nothing shows that only what was there at the disaster was restored from. Let the restore report "
        "source_sha256, the hash of the listing that it used, and run again."
    ),
    ("time_to_detect", "missed"): (
        "People learn of it too late. Alert on what users see (failed requests), not on causes, and "
        "shorten the alert's waiting time."
    ),
    ("time_to_detect", "undetected"): (
        "Nobody would have known: no qualifying alert came. Check that the alert exists, fires on this fault, and "
        "reaches the place where Drillmark listens (observe.alerts, alerts.listen)."
    ),
    ("time_to_detect", "unmeasured"): (
        "Whether and when people would have known is not known. Remove the reason that the run names (the receiver "
        "died, or the fault ended before the alert was due), and run again."
    ),
    ("mtd", "missed"): (
        "The service is back later than the business can bear, work after the recovery included. "
        "Shorten the recovery or the checks that follow it, or have the business state another limit."
    ),
    ("after_undo", "missed"): (
        "The system stays hurt after its fault is gone. Look at reconnects, pools, back-off and caches of its clients."
    ),
    ("slo.availability", "missed"): (
        "Users saw failures beyond the objective. Look at the beats of that phase, then at retries, "
        "time-outs and health checks in front of the service."
    ),
    ("slo.error_rate", "missed"): (
        "Too many requests failed. The load's samples name them by request and error; begin with the most frequent."
    ),
    ("slo.throughput", "missed"): (
        "The system served less than before. Look for what saturates: connections, CPU, I/O, cold "
        "caches after a restore."
    ),
}

_UNDONE_EARLY = (
    "What the drill did was undone before the recovery was seen to end, so what was measured is how long the run "
    "lasted, not how long the recovery takes. See under the recovery steps why it did not end, put that right, and run "
    "again."
)

_LATENCY = (
    "Requests were slower than the objective. After a restore caches are cold: warm them before "
    "traffic, or state an objective for the time after a recovery."
)


def recommend(judged: Judged, kind: str) -> str:
    """What to do about this."""
    reason = judged.reason.lower()
    if judged.name.startswith("slo.latency") and kind == "missed":
        return _LATENCY
    known = _BY_OBJECTIVE.get((judged.name, kind))
    if judged.name == "rto" and "undone before" in reason:
        known = _UNDONE_EARLY
    # A number that was measured and missed has its own advice; for the rest the reason knows more.
    if kind in ("missed", "undetected") and known is not None:
        return known
    pointed = next((advice for word, advice in _BY_REASON.items() if word in reason), None)
    if pointed is not None:
        return pointed
    if known is not None:
        return known
    if kind == "unmeasured":
        return "It could not be measured, so it cannot be claimed. Remove the reason that the run names, and run again."
    return "Read the run's report, find the cause, repair it, and run the drill again: a passing run closes this gap."
