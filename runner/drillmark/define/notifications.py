"""Who is told of drills, of what, and when not: the `notifications` of `drillmark.yaml`.

Checked here; nothing here sends anything. The value of a secret must never stand in the file, so that it cannot get
into a plan, a journal or a log: addresses name variables of the environment.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from drillmark.define.base import Strict, show, wrong
from drillmark.define.schedule import Days, TimeZone
from drillmark.define.units import Slug, TimeOfDay, Written

News = Literal["approval_wanted", "start", "at_risk", "abort", "end", "gap_filed", "overdue"]
VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
ADDRESS_PATTERN = r"^(?:\$\{[A-Za-z_][A-Za-z0-9_]*\}|[a-z][a-z0-9+.-]{0,30}://)\S{0,1000}$"
# Their address is a place alone. Every other service has a token, a key or a password in it.
_WITHOUT_SECRET = frozenset({"json", "jsons", "xml", "xmls", "form", "forms", "syslog", "dbus", "mailto", "mailtos"})
_SECRET_NAME = re.compile(r"pass|pwd|secret|token|key|credential|auth", re.IGNORECASE)
_PASSWORD = re.compile(r"[^/#]*?:([^/#]+)@")
_FROM_ENVIRONMENT = "write ${NAME} in its place, and set NAME in the environment of what runs drills"


def _address(value: object) -> str:
    hint = "an address that apprise knows, such as slack://${SLACK_TOKENS} or jsons://hooks.example.org/drills"
    if not isinstance(value, str):
        raise wrong(f"expected an address, found {show(value)}", hint)
    # From here on the text is never told back: it may hold what must not be shown.
    if not re.fullmatch(ADDRESS_PATTERN, value):
        raise wrong("this is no address of a channel", hint)
    without = VARIABLE.sub("", value)
    if "$" in without:
        raise wrong("a `$` that begins no variable", "a variable is written ${NAME}, a `$` itself %24")
    scheme, _, rest = value.partition("://")
    if not VARIABLE.search(value) and scheme not in _WITHOUT_SECRET:
        raise wrong(f"an address of `{scheme}` holds a secret, which stands in the file", _FROM_ENVIRONMENT)
    _refuse_literal_secrets(rest)
    return value


def _refuse_literal_secrets(rest: str) -> None:
    place, _, query = rest.partition("?")
    password = _PASSWORD.match(place)
    if password and not VARIABLE.fullmatch(password[1]):
        raise wrong("the password stands in the file", _FROM_ENVIRONMENT)
    for pair in query.partition("#")[0].split("&"):
        name, _, text = pair.partition("=")
        if _SECRET_NAME.search(name) and not VARIABLE.fullmatch(text):
            raise wrong(f"the value of `{name}` stands in the file", _FROM_ENVIRONMENT)


Address = Annotated[str, Written(_address, ADDRESS_PATTERN, ("${OPS_CHAT_URL}", "mailtos://${MAIL_LOGIN}@example.org"))]


class Channel(Strict):
    """One place that is told: a chat, a mailbox, a pager, a webhook."""

    name: Slug = Field(description="What it is called when it cannot be reached.")
    url: Address = Field(
        description="Its address, as apprise writes it; secrets as ${NAME}, from the environment.",
        examples=["${OPS_CHAT_URL}"],
    )
    on: list[News] = Field(default_factory=list, description="What it hears of; everything unless given.")
    verdicts: list[Literal["passed", "failed", "unknown"]] = Field(
        default_factory=list, description="Of the ends, those with these verdicts alone; all unless given."
    )
    drills: list[Slug] = Field(default_factory=list, description="It hears of these drills alone; of all unless given.")


class Quiet(Strict):
    """Hours in which messages wait."""

    from_: TimeOfDay = Field(alias="from", description="From when on messages wait.")
    to: TimeOfDay = Field(description="Until when; earlier than `from` means the next day.")
    days: Days | None = Field(default=None, description="The days on which that begins; every day unless given.")
    time_zone: TimeZone = Field(default="UTC", description="The zone of these hours; UTC unless given.")
    let_through: list[News] = Field(
        default=["at_risk", "abort"], description="What does not wait; `at_risk` and `abort` unless given."
    )

    @model_validator(mode="after")
    def _has_a_length(self) -> Quiet:
        if self.from_ == self.to:
            raise wrong("`from` and `to` are the same: nobody would know whether that is no hour or all", "")
        return self


class Notifications(Strict):
    """Who is told of drills, of what, and when not."""

    channels: list[Channel] = Field(default_factory=list, description="Who is told.")
    quiet: Quiet | None = Field(default=None, description="Hours in which messages wait until they are over.")

    @field_validator("channels")
    @classmethod
    def _names_are_unique(cls, channels: list[Channel]) -> list[Channel]:
        names = [channel.name for channel in channels]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise wrong(f"two channels are called `{twice[0]}`", "give each a name of its own")
        return channels
