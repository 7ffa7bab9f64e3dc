from __future__ import annotations

import report_builders as build
from drillmark.model.planned import PlannedActivity, PlannedFault, PlannedMarkers, PlannedProbes
from drillmark.plan.false_greens import open_ways


def _activity(name, tolerance=None, **provider):
    return PlannedActivity(name=name, activity={"name": name, "tolerance": tolerance, "provider": provider})


def _fault(**changes):
    fields = {"path": "e.yaml", "sha256": "0", "experiment": {}, "actions": ["a"], "undos": ["b"]}
    return PlannedFault(**fields | changes)


def _names(**changes):
    bare = {"probes": None, "markers": (), "verify": [], "preflight": [], "load": None, "recover": [], "fault": None}
    return {way.name for way in open_ways(build.plan().model_copy(update=bare | changes))}


def test_each_way_is_open_until_the_plan_closes_it():
    status = _activity("p", 200, type="http")
    body = _activity("p", {"type": "jsonpath", "target": "body", "path": "$.a"}, type="http")
    step = _activity("r", type="python")
    assert "nobody looks" in _names()
    assert "nobody looks" not in _names(probes=PlannedProbes(activities=[body]))
    assert "cache or error page" in _names(probes=PlannedProbes(activities=[body, status]))
    assert "cache or error page" not in _names(probes=PlannedProbes(activities=[body]))
    markers = (PlannedMarkers(secrets="s"),)
    assert {"empty database", "wrong or old backup", "backup that is none"} <= _names(recover=[step])
    assert "empty database" not in _names(recover=[step], verify=[step])
    assert "wrong or old backup" in _names(recover=[step], verify=[step])
    assert not {"empty database", "wrong or old backup"} & _names(recover=[step], markers=markers)
    assert "backup that is none" not in _names(recover=[step], preflight=[step])
    assert {"fault that did not take", "fault that stays"} <= _names(fault=_fault(undos=[]))
    assert not {"fault that did not take", "fault that stays"} & _names(fault=_fault(effect=step))
    assert "no load" in _names()
