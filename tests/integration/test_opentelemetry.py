"""A drill before a real OTLP receiver, which decodes what it is sent; and the context that activities are given."""

from __future__ import annotations

import json

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

import file_drill
from drillmark import clock, telling
from drillmark.define.settings import Settings
from drillmark.engine.view import SilentView
from drillmark.journal.entries import follow
from drillmark.model import trace
from drillmark.model.entry import Kind
from receivers import receiving


def spans(ear):
    for one in list(ear.received):
        if one.path == "/v1/traces":
            for resource in ExportTraceServiceRequest.FromString(one.body).resource_spans:
                for scope in resource.scope_spans:
                    yield from scope.spans


def metric_names(ear) -> set[str]:
    return {
        metric.name
        for one in list(ear.received)
        if one.path == "/v1/metrics"
        for resource in ExportMetricsServiceRequest.FromString(one.body).resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    }


def records(ear):
    for one in list(ear.received):
        if one.path == "/v1/logs":
            for resource in ExportLogsServiceRequest.FromString(one.body).resource_logs:
                for scope in resource.scope_logs:
                    yield from scope.log_records


def about(item) -> dict[str, str]:
    return {one.key: one.value.string_value for one in item.attributes}


def process(name: str, path) -> dict:
    script = f'echo "$TRACEPARENT" > "{path}"'
    return {"name": name, "type": "action", "provider": {"type": "process", "path": "sh", "arguments": ["-c", script]}}


@pytest.fixture
def ear():
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def service(tmp_path):
    with file_drill.serving(tmp_path / "served.txt") as url:
        yield url, tmp_path / "served.txt"


@pytest.mark.drill
def test_a_drill_is_a_trace_with_metrics_and_logs_and_hands_its_context_on(tmp_path, service, ear, monkeypatch):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{ear.port}")
    aside = tmp_path / "aside"
    call = {"type": "http", "method": "POST", "url": f"http://127.0.0.1:{ear.port}/called", "timeout": 30}
    phases = {"baseline": "4s", "soak": "2s", "hold": "2s", "recover": {"deadline": "20m"}}
    root = file_drill.make(
        tmp_path / "w",
        service,
        phases=phases,
        observe={"probes": {"every": "1s", "timeout": "30s"}},
        settings={"logs": {"to": "logs/drillmark.jsonl"}},
        method=[
            process("note-in-method", tmp_path / "in-method"),
            file_drill.activity("lose", "shutil", "move", src=str(service[1]), dst=str(aside)),
        ],
        recover=[
            process("note-in-recovery", tmp_path / "in-recovery"),
            {"name": "call", "type": "action", "provider": call},
            file_drill.activity("copy-back", "shutil", "copyfile", src=str(aside), dst=str(service[1])),
        ],
    )
    done = file_drill.drillmark(root, "run", file_drill.DRILL)
    (folder,) = (root / "reports" / "runs").iterdir()
    run = folder.name
    verdict = json.loads((folder / "result.json").read_text())["verdict"]
    assert "warning: OpenTelemetry" not in done.stdout + done.stderr

    found = list(spans(ear))
    by_name = {span.name: span for span in found}
    assert {span.trace_id.hex() for span in found} == {f"{trace.trace_id(run):032x}"}
    assert len({span.span_id for span in found}) == len(found)
    drill = by_name["drill file-lost"]
    assert (drill.parent_span_id, about(drill)["drillmark.verdict"]) == (b"", verdict)
    told = {span.name for span in found if span.parent_span_id == drill.span_id}
    assert {"preparing", "baseline", "fault", "recover", "soak", "undo", "closing"} <= told
    assert all(span.start_time_unix_nano <= span.end_time_unix_nano for span in found)

    recovering = by_name["recover note-in-recovery"]
    assert recovering.parent_span_id == by_name["recover"].span_id
    assert (tmp_path / "in-recovery").read_text().strip() == f"00-{drill.trace_id.hex()}-{recovering.span_id.hex()}-01"
    (called,) = [one for one in ear.received if one.path == "/called"]
    assert called.headers["traceparent"] == f"00-{drill.trace_id.hex()}-{by_name['recover call'].span_id.hex()}-01"
    noted = by_name["note-in-method"]
    assert noted.parent_span_id == by_name["inject"].span_id
    assert (tmp_path / "in-method").read_text().strip() == f"00-{drill.trace_id.hex()}-{noted.span_id.hex()}-01"
    (undo,) = [span for span in found if about(span).get("drillmark.effect") == "undo"]
    assert by_name["remove-what-was-moved"].parent_span_id == undo.span_id

    assert {"drillmark.runs", "drillmark.effect.duration", "drillmark.rto.used"} <= metric_names(ear)
    logged = list(records(ear))
    assert {record.trace_id for record in logged} == {drill.trace_id}
    assert any(record.body.string_value == f"the run has ended: {verdict}" for record in logged)
    assert "recover" in {about(record).get("drillmark.phase") for record in logged}

    lines = [json.loads(line) for line in (root / "logs" / "drillmark.jsonl").read_text().splitlines()]
    assert [line["sequence"] for line in lines] == list(range(1, len(lines) + 1))
    assert {(line["run"], line["drill"]) for line in lines} == {(run, "file-lost")}
    assert {"preparing", "baseline", "fault", "recover", "soak", "undo", "closing"} <= {line["phase"] for line in lines}


class Face(SilentView):
    def __init__(self):
        self.said: list[str] = []

    def notice(self, text):
        self.said.append(text)


def test_a_dead_collector_is_said_without_its_secrets_and_stops_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=s3cr3t-t0ken")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    face = Face()
    import os

    with telling.views(Settings(), os.environ, root=tmp_path, face=face) as view:
        view.entry(
            follow(None, run="r", epoch=1, kind=Kind.RUN_STARTED, stamp=clock.now(), data={"drill": "d"}), "title"
        )
    assert any("OpenTelemetry" in text for text in face.said)
    assert "s3cr3t" not in "".join(face.said)


def test_without_an_endpoint_nothing_is_sent(tmp_path):
    assert not trace.is_on({})
    assert not trace.is_on({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_SDK_DISABLED": "true"})
    assert trace.is_on({"OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": "http://x"})


def test_a_log_that_cannot_be_written_is_said_and_stops_nothing(tmp_path):
    (tmp_path / "logs").write_text("a file where the folder should be")
    face = Face()
    settings = Settings.model_validate({"logs": {"to": "logs/x.jsonl"}})
    with telling.views(settings, {}, root=tmp_path, face=face):
        pass
    (said,) = face.said
    assert said.startswith("warning: the log is left out: FileExistsError")
