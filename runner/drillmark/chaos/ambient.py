"""What extensions would pick up from their surroundings, made explicit before they are imported.

Runs in child processes alone. Must never override what a person has set.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from pathlib import Path

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")


def settle_kubernetes(environment: MutableMapping[str, str], service_account: Path = SERVICE_ACCOUNT) -> None:
    """Say to `chaosk8s` what it would guess wrong.

    It does not verify TLS certificates unless told to, and within a pod it takes any kubeconfig that lies about in
    place of the pod's own account. An experiment's `secrets` and variables that are set win over this.
    """
    environment.setdefault("KUBERNETES_VERIFY_SSL", "true")
    in_pod = "KUBERNETES_SERVICE_HOST" in environment and service_account.exists()
    if in_pod and "KUBECONFIG" not in environment and "KUBERNETES_CONTEXT" not in environment:
        environment.setdefault("CHAOSTOOLKIT_IN_POD", "true")
        # A path where there is nothing: a kubeconfig in the home folder would win over the account.
        environment["KUBECONFIG"] = str(service_account.parent / "no-kubeconfig")
