"""Builders of definitions for tests: small texts that are right, to be made wrong in one place."""

from __future__ import annotations

from pathlib import Path

MINIMAL_DRILL = """\
id: orders-db-lost
title: The orders database is lost and comes back from backup
owner: team-orders
target: orders-db
fault: experiments/orders-db-lost.yaml
load: experiments/load/orders.py
recover: [{ref: fence}, {ref: restore-latest}, {ref: switch-over}]
schedule: {every: quarter}
"""

# As in the design, word for word.
FULL_DRILL = """\
id: orders-db-lost
title: The orders database is lost and comes back from backup
owner: team-orders
mode: drill                                # drill | check | gameday | tabletop
target: orders-db
runbook: docs/how-to/restore-orders-db.md
risk: {reference: R-012, likelihood: low, impact: high, detection: fast}

objectives:
  rto: 4h
  rpo: 1h
  time_to_detect: 5m
  mtd: 12h
  after_undo: 30s
  slo:
    availability: 99.9%
    latency: {p50: 100ms, p95: 200ms, p99: 500ms}
    error_rate: 1%
    throughput: 100/s

phases:
  baseline: 30s
  detect: 0s
  fault: 60s
  recover: {deadline: 8h}
  verify: {deadline: 30m}
  soak: 60s
  hold: 30s

fault:
  experiment: experiments/orders-db-lost.yaml
  effect: {ref: db-was-restarted}
  runner_lost: undo

load: {locustfile: experiments/load/orders.py, users: 20, spawn_rate: 20/s, processes: 1}

observe:
  probes: {every: 100ms, timeout: 2s, use: [{ref: order-read}, {ref: order-write}]}
  markers: {every: 10ms, writers: 4}
  alerts: [{webhook: /alerts, match: {alertname: OrdersDown}}]

recover:
  - ref: fence
  - ref: restore-latest
    arguments: {jobs: 2}
    repeatable: true
  - ref: switch-over
  - name: tell-the-service
    type: action
    provider: {type: http, method: POST, url: "${orders_url}/admin/reconnect", timeout: 5}

verify: [{ref: rows-match-orders}]

guards:
  - {name: payments-untouched, probe: {ref: payments-healthy}, fails_for: 10s, then: abort}

schedule:
  cron: "0 3 * 1,4,7,10 tue#1"
  time_zone: Europe/Berlin
  window: {days: tue-thu, from: "02:00", to: "05:00"}
  missed: {run_within: 6h}
  blackouts: [2026-12-20/2027-01-06, calendars/freeze.ics]
  jitter: 10m
  priority: 5
"""

TARGETS = """\
configuration:
  orders_url: {type: env, key: ORDERS_URL, default: "http://127.0.0.1:8080"}
secrets:
  orders-db: {dsn: {type: env, key: ORDERS_DSN}}
targets:
  orders-db:
    environment: lab
    tier: 1
    touches: [orders-api]
    markers: {store: postgres, secrets: orders-db}
    probes: [order-read, order-write]
    effect: db-was-restarted
    identity: same-cluster
    verify: [rows-match-orders]
    preflight: [restorable]
    activities:
      - name: order-read
        type: probe
        tolerance: {type: jsonpath, target: body, path: "$.source", expect: ["database"]}
        provider: {type: http, url: "${orders_url}/orders/latest", timeout: 2}
      - name: order-write
        type: probe
        tolerance: 201
        provider: {type: http, url: "${orders_url}/orders", method: POST}
      - name: restorable
        type: probe
        tolerance: true
        provider: {type: python, module: os.path, func: exists, arguments: {path: /}}
      - name: db-was-restarted
        type: probe
        tolerance: true
        provider: {type: python, module: os.path, func: exists, arguments: {path: /}}
      - name: same-cluster
        type: probe
        tolerance: true
        provider: {type: python, module: os.path, func: exists, arguments: {path: /}}
      - name: payments-healthy
        type: probe
        tolerance: 200
        provider: {type: http, url: "${orders_url}/payments"}
      - name: rows-match-orders
        type: probe
        tolerance: true
        provider: {type: python, module: os.path, func: exists, arguments: {path: /}}
      - name: fence
        type: action
        provider: {type: python, module: os.path, func: exists, arguments: {path: /fence}, timeout: 30}
      - name: restore-latest
        type: action
        repeatable: true
        provider: {type: http, url: "${orders_url}/restore", arguments: {to: latest, jobs: 1}}
      - name: switch-over
        type: action
        provider: {type: process, path: "true", timeout: 10}
"""

EXPERIMENT = """\
title: The orders database is lost
description: Its host goes away.
configuration:
  since: 2026-12-20
method:
  - name: lose-host
    type: action
    provider: {type: python, module: os.path, func: exists, arguments: {path: /}}
rollbacks:
  - name: bring-host-back
    type: action
    provider: {type: python, module: os.path, func: exists, arguments: {path: /}}
"""

LOCUSTFILE = "from locust import FastHttpUser\n\n\nclass Orders(FastHttpUser):\n    pass\n"


def workspace(
    folder: Path,
    *,
    drill: str | bytes = MINIMAL_DRILL,
    targets: str | bytes = TARGETS,
    experiment: str | bytes = EXPERIMENT,
    settings: str | bytes = "",
) -> Path:
    """A whole workspace with one drill, `drills/lost.yaml`; returns its root."""
    files: dict[str, str | bytes] = {
        "drillmark.yaml": settings,
        "targets.yaml": targets,
        "drills/lost.yaml": drill,
        "experiments/orders-db-lost.yaml": experiment,
        "experiments/load/orders.py": LOCUSTFILE,
        "docs/how-to/restore-orders-db.md": "# How\n",
        "calendars/freeze.ics": "BEGIN:VCALENDAR\nEND:VCALENDAR\n",
    }
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def with_line(text: str, old: str, new: str) -> str:
    """The text with one thing changed; fails where that thing is not there exactly once."""
    assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in the text"
    return text.replace(old, new)
