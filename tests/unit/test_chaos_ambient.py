from __future__ import annotations

from drillmark.chaos.ambient import settle_kubernetes


def test_kubernetes_verifies_certificates_unless_a_person_says_otherwise(tmp_path):
    environment = {}
    settle_kubernetes(environment, tmp_path / "none")
    assert environment == {"KUBERNETES_VERIFY_SSL": "true"}
    environment = {"KUBERNETES_VERIFY_SSL": "1", "KUBERNETES_SERVICE_HOST": "10.0.0.1"}
    settle_kubernetes(environment, tmp_path / "none")
    assert environment == {"KUBERNETES_VERIFY_SSL": "1", "KUBERNETES_SERVICE_HOST": "10.0.0.1"}


def test_within_a_pod_its_own_account_is_used_and_no_kubeconfig_that_lies_about(tmp_path):
    token = tmp_path / "token"
    token.write_text("x")
    environment = {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}
    settle_kubernetes(environment, token)
    assert environment["CHAOSTOOLKIT_IN_POD"] == "true"
    assert environment["KUBECONFIG"].startswith(str(tmp_path))
    for chosen in ({"KUBECONFIG": "/mine"}, {"KUBERNETES_CONTEXT": "staging"}):
        environment = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", **chosen}
        settle_kubernetes(environment, token)
        assert environment == {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_VERIFY_SSL": "true", **chosen}
