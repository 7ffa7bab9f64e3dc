"""A CronJob: one pod for each start, never two at once, not root, on a read-only root file system."""

from __future__ import annotations

import hashlib

import yaml

from drillmark.calendar.export.fields import fields, within_seconds
from drillmark.calendar.export.job import Job, one_line
from drillmark.calendar.zones import zone

_USER = 65534
_LONGEST = 52


def _name(drill: str) -> str:
    """Kubernetes puts 11 characters behind the name of a CronJob, and allows 63: long ones end in a hash."""
    name = f"drillmark-{drill}"
    return (
        name if len(name) <= _LONGEST else f"{name[:43].rstrip('-')}-{hashlib.sha256(drill.encode()).hexdigest()[:8]}"
    )


def files(job: Job) -> dict[str, str]:
    """One manifest. The workspace, with its journal, is a volume that outlives the pods."""
    name = _name(job.drill)
    container = {
        "name": "drill",
        "image": job.image,
        "command": ["drillmark", *job.arguments()],
        "workingDir": "/workspace",
        "env": [{"name": "HOME", "value": "/tmp"}],  # noqa: S108 (a volume of the pod's own)
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [
            {"name": "workspace", "mountPath": "/workspace"},
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108
        ],
    }
    pod = {
        "restartPolicy": "Never",  # a drill that failed has measured something: it is not repeated until it passes
        "automountServiceAccountToken": False,
        "securityContext": {
            "runAsNonRoot": True, "runAsUser": _USER, "runAsGroup": _USER, "fsGroup": _USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "terminationGracePeriodSeconds": 600,  # SIGTERM: the fault is undone first
        "containers": [container],
        "volumes": [
            {"name": "workspace", "persistentVolumeClaim": {"claimName": job.claim}},
            {"name": "tmp", "emptyDir": {}},
        ],
    }  # fmt: skip
    labels = {"app.kubernetes.io/name": "drillmark", "drillmark/drill": job.drill}
    manifest = {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": name, "labels": dict(labels), "annotations": {"drillmark/title": one_line(job.title)}},
        "spec": {
            "schedule": str(fields(job.schedule)),
            "timeZone": zone(job.schedule.time_zone).key,
            "concurrencyPolicy": "Forbid",
            "startingDeadlineSeconds": within_seconds(job.schedule),
            "successfulJobsHistoryLimit": 3,
            "failedJobsHistoryLimit": 3,
            "jobTemplate": {
                "metadata": {"labels": dict(labels)},
                "spec": {"backoffLimit": 0, "template": {"metadata": {"labels": dict(labels)}, "spec": pod}},
            },
        },
    }
    head = (
        f"# {one_line(job.title)}. Written by `drillmark schedule export --to kubernetes {job.drill}`.\n"
        f"# The volume claim {job.claim} holds the workspace: drills, targets, and the journal that grows there.\n"
    )
    return {f"{name}.cronjob.yaml": head + yaml.safe_dump(manifest, sort_keys=False)}
