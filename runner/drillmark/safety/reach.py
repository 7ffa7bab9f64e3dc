"""What an activity says that it reaches: namespaces, accounts, and the labels that it selects by. Pure.

Read off its arguments, as Chaos Toolkit's extensions name them, of requests also off the address, of commands also off
their words. Whatever depends on what is known only when it runs (`${name}` of an environment variable) is not told.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

NAMESPACES = frozenset(
    {
        "ns", "namespace", "namespaces", "pod_namespace", "namespaces_selectors", "target_namespaces_selectors",
        "namespaces_selector", "target_ns", "target_namespace",
    }
)  # fmt: skip
ACCOUNTS = frozenset(
    {
        "account", "accounts", "account_id", "account_ids", "aws_account", "aws_account_id", "project", "project_id",
        "gcp_project_id", "subscription", "subscription_id", "azure_subscription_id",
    }
)  # fmt: skip
SELECTORS = frozenset(
    {"label_selector", "label_selectors", "pod_label_selector", "target_label_selectors", "labels", "tags", "filters"}
)
_VARIABLE = re.compile(r"\$\{([^}]*)\}")
_ARN = re.compile(r"\barn:aws[^:]*:[^:]*:[^:]*:([0-9]{12}):")
_NAMESPACE_IN_ADDRESS = re.compile(r"/namespaces/([^/?#]+)")
_KUBERNETES = frozenset({"kubectl", "oc", "helm", "k9s"})
_TAG_OF_FILTER = re.compile(r"^tag:(.+)$")


@dataclass(slots=True)
class Said:
    """What one activity says. `unclear` holds what it says of a rule that cannot be told before it runs."""

    namespaces: set[str] = field(default_factory=set[str])
    accounts: set[str] = field(default_factory=set[str])
    selectors: list[dict[str, str]] = field(default_factory=list[dict[str, str]])  # the equalities of each
    unclear: dict[str, str] = field(default_factory=dict[str, str])  # rule -> why


def said(activity: Mapping[str, Any], configuration: Mapping[str, Any]) -> Said:
    """What an activity says that it reaches, with the configuration that it is run with."""
    told = Said()
    provider = activity.get("provider")
    provider = provider if isinstance(provider, dict) else {}
    arguments = provider.get("arguments")
    for key, value in _leaves(arguments):
        _take(told, key, _filled(value, configuration))
    kind = provider.get("type")
    if kind == "http":
        url = _filled(provider.get("url"), configuration)
        for name in _NAMESPACE_IN_ADDRESS.findall(url or ""):
            told.namespaces.add(name)
    elif kind == "process":
        _take_command(told, provider.get("path"), arguments, configuration)
    elif kind == "python":
        _take_extension(told, str(provider.get("module", "")), arguments)
    for key in sorted(ACCOUNTS & configuration.keys()):
        _take(told, key, _filled(f"${{{key}}}", configuration))
    role = configuration.get("aws_assume_role_arn")
    if role is not None:
        _take(told, "account", _account(_filled("${aws_assume_role_arn}", configuration)))
    return told


def acts(activity: Mapping[str, Any]) -> bool:
    """Whether it may change anything: an action, or a probe that calls one."""
    provider = activity.get("provider")
    module = provider.get("module") if isinstance(provider, dict) else None
    return activity.get("type") != "probe" or str(module or "").rpartition(".")[2] == "actions"


def _take(told: Said, key: str, value: str | None) -> None:
    """One argument. None: its value is known only when it runs."""
    for rule, names, found in (("namespaces", NAMESPACES, told.namespaces), ("accounts", ACCOUNTS, told.accounts)):
        if key not in names:
            continue
        if not value or not value.strip():
            told.unclear[rule] = f"`{key}` is " + ("known only when it runs" if value is None else "empty")
        else:
            found.update(part.strip() for part in value.split(",") if part.strip())
    if value is not None:
        told.accounts.update(_ARN.findall(value))


def _take_extension(told: Said, module: str, arguments: Any) -> None:
    given = arguments if isinstance(arguments, dict) else {}
    for key in sorted(SELECTORS & given.keys()):
        _take_selector(told, key, given[key])
    if not module.startswith("chaosk8s."):
        return
    if module.startswith("chaosk8s.node.") and "pod_namespace" not in given:
        told.unclear["namespaces"] = "it reaches nodes, and with them every namespace"
    elif not told.namespaces and "namespaces" not in told.unclear:
        told.namespaces.add("default")  # what chaostoolkit-kubernetes takes where nothing is said
    if not told.selectors and not given.get("name"):
        told.unclear["labels"] = "it selects by no label"


def _take_selector(told: Said, key: str, value: Any) -> None:
    """Equalities of a selector; anything else may be true of more than is meant, and says nothing."""
    pairs: list[tuple[str, str]] = []
    if isinstance(value, str):
        for part in value.split(","):
            name, equals, right = part.replace("==", "=").partition("=")
            if equals and not name.rstrip().endswith("!"):
                pairs.append((name.strip(), right.strip()))
    elif isinstance(value, dict):
        pairs = [(str(name), str(right)) for name, right in value.items()]
    elif isinstance(value, list):
        pairs = list(_tags(value))
    if not value:
        return
    if any("$" in name or "$" in right for name, right in pairs):
        told.unclear["labels"] = f"`{key}` is known only when it runs"
    told.selectors.append(dict(pairs))


def _tags(filters: list[Any]) -> Iterator[tuple[str, str]]:
    """Tags as AWS has them: `{Name: "tag:team", Values: [orders]}`, or `{Key: team, Value: orders}`."""
    for each in filters:
        if not isinstance(each, dict):
            continue
        tag = _TAG_OF_FILTER.match(str(each.get("Name", "")))
        values = each.get("Values")
        if tag and isinstance(values, list) and len(values) == 1:
            yield tag[1], str(values[0])
        elif "Key" in each and "Value" in each:
            yield str(each["Key"]), str(each["Value"])


def _take_command(told: Said, path: Any, arguments: Any, configuration: Mapping[str, Any]) -> None:
    words = list(_words([path, arguments]))
    filled = [_filled(word, configuration) for word in words]
    kubernetes = any(str(word).rpartition("/")[2] in _KUBERNETES for word in words)
    flags = {"--namespace", "-n"} if kubernetes else {"--namespace"}
    for index, (written, word) in enumerate(zip(words, filled, strict=True)):
        name, equals, value = written.partition("=")
        if written in flags:
            _take(told, "namespace", filled[index + 1] if index + 1 < len(filled) else "")
        elif equals and name in flags:
            _take(told, "namespace", _filled(value, configuration))
        elif kubernetes and written in ("-A", "--all-namespaces"):
            told.unclear["namespaces"] = "it reaches all namespaces"
        elif kubernetes and (written in ("-l", "--selector") or name == "--selector"):
            _take_selector(told, name, value or next(iter(words[index + 1 : index + 2]), ""))
        elif word is not None:
            told.accounts.update(_ARN.findall(word))
    if kubernetes and not told.namespaces and "namespaces" not in told.unclear:
        told.unclear["namespaces"] = "it names no namespace: which one is meant depends on where it runs"


def _words(value: Any) -> Iterator[str]:
    """Every word of a command, also those in a line that a shell is given."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield str(key)
            yield from _words(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _words(inner)
    elif isinstance(value, str):
        try:
            yield from shlex.split(value, comments=False)
        except ValueError:
            yield from value.split()
    elif value is not None:
        yield str(value)


def _leaves(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Every value in arguments, with the key that it stands under."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _leaves(inner, str(name))
    elif isinstance(value, list) and value:
        for inner in value:
            yield from _leaves(inner, key)
    else:
        yield key, "" if isinstance(value, list) else value


def _filled(value: Any, configuration: Mapping[str, Any]) -> str | None:
    """A value with its variables filled in; None where one of them is known only when it runs."""
    if value is None:
        return ""
    text = str(value)
    for name in _VARIABLE.findall(text):
        found = configuration.get(name)
        if isinstance(found, bool | dict | list) or found is None:
            return None
        text = text.replace(f"${{{name}}}", str(found))
    return text


def _account(arn: str | None) -> str | None:
    return None if arn is None else next(iter(_ARN.findall(arn)), None)
