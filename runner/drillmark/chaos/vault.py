"""Vault's client as chaoslib expects it.

chaoslib logs in by AppRole and by a Kubernetes account with two methods that `hvac` dropped in its version 1.0, though
chaoslib asks for that version or a newer one: both always fail under `chaos run`. Here they are put back. Imported in
child processes alone. Must never keep a token or a secret.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any


def used_by(secrets: Any) -> bool:
    """Whether anything of a `secrets` block is to come from Vault."""
    if not isinstance(secrets, dict):
        return False
    return secrets.get("type") == "vault" or any(used_by(value) for value in secrets.values())


def mend_client() -> None:
    """Put back what is missing in `hvac.Client`, where that is installed."""
    try:
        client: Any = import_module("hvac").Client
    except ImportError:
        return
    for name, method in (("auth_approle", _auth_approle), ("auth_kubernetes", _auth_kubernetes)):
        if not hasattr(client, name):
            setattr(client, name, method)


def _auth_approle(self: Any, role_id: str, secret_id: str) -> Any:
    return self.auth.approle.login(role_id=role_id, secret_id=secret_id)


def _auth_kubernetes(self: Any, *, role: str, jwt: str, use_token: bool, mount_point: str) -> Any:
    return self.auth.kubernetes.login(role=role, jwt=jwt, use_token=use_token, mount_point=mount_point)
