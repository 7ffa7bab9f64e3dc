"""Secrets from a stand-in of Vault (see `doubles`): what is stored stays a reference, what is used is the value."""

from __future__ import annotations

import copy
import json

import chaoslib.secret
import pytest
from doubles import VaultStandIn, serving

from chaos_helpers import Followed, experiment, python
from drillmark.chaos import resolve
from drillmark.chaos.preparing import UnfitError, prepare
from drillmark.chaos.redact import Redactor


@pytest.fixture(scope="module")
def address():
    with serving(VaultStandIn) as url:
        yield url


def _whole(address, **configuration):
    said = python("said", "leak", secrets=["web"], which="password", how="output")
    length = python("length", "secret_length", secrets=["web"])
    length["provider"]["arguments"] = {"name": "password"}
    return experiment(
        [length, said],
        [{**length, "name": "again"}],
        configuration={"vault_addr": address, **configuration},
        secrets={"web": {"password": {"type": "vault", "path": "web", "key": "password"}}},
    )


BY_TOKEN = {"vault_token": {"type": "env", "key": "OUR_VAULT_TOKEN"}}
BY_ROLE = {
    "vault_role_id": {"type": "env", "key": "OUR_VAULT_ROLE"},
    "vault_role_secret": {"type": "env", "key": "OUR_VAULT_SECRET"},
}
VARIABLES = {
    "OUR_VAULT_TOKEN": VaultStandIn.TOKEN,
    "OUR_VAULT_ROLE": VaultStandIn.ROLE_ID,
    "OUR_VAULT_SECRET": VaultStandIn.SECRET_ID,
}


@pytest.mark.parametrize("how", [BY_TOKEN, BY_ROLE], ids=["token", "approle"])
def test_what_comes_from_vault_is_used_and_stands_nowhere(tmp_path, address, how):
    with Followed(tmp_path / "run", _whole(address, **how), environment=VARIABLES) as run:
        run.play()
        lengths = [one["output"] for one in run.journal["run"] + run.journal["rollbacks"]]
        assert lengths[0] == lengths[2] == len(VaultStandIn.PASSWORD)
        assert "[redacted]" in json.dumps(lengths[1])
    left = b"".join(path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file())
    assert left
    for secret in (VaultStandIn.PASSWORD, VaultStandIn.TOKEN, VaultStandIn.SECRET_ID):
        assert secret.encode() not in left


def test_what_is_kept_for_the_undo_is_a_reference(address):
    whole = _whole(address, **BY_TOKEN)
    resolved = resolve(copy.deepcopy(whole), {}, environment=VARIABLES)
    assert resolved["secrets"] == whole["secrets"]
    assert resolved["configuration"] == {"vault_addr": address, **BY_TOKEN}


def test_without_its_client_nothing_runs(tmp_path, address, monkeypatch):
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(chaoslib.secret, "HAS_HVAC", False)
    request = {"experiment": _whole(address, **BY_TOKEN), "journal_path": str(tmp_path / "j")}
    with pytest.raises(UnfitError, match="the secret 'web' could not be read from vault"):
        prepare(request, Redactor())
