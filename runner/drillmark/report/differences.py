"""How numbers of several runs stand to those of the first: surely different, perhaps, the same, or not known. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from drillmark.model.stamp import Interval
from drillmark.report import words

Kind = Literal["differs", "unknown", "within", "same", "reported"]

WITHIN = "within the intervals"
_WORDS = {"seconds": ("longer", "shorter"), "ratio": ("more", "less"), "per_second": ("more", "less")}


@dataclass(frozen=True, slots=True)
class Said:
    """The worst of it, and a word for each run but the first."""

    kind: Kind
    said: tuple[str, ...]


def texts(found: Sequence[str]) -> Said:
    """Words and names: equal or not."""
    said = tuple("" if n == 0 or text == found[0] else "differs" for n, text in enumerate(found))
    return Said("differs" if any(said) else "same", said)


def counts(found: Sequence[int | None]) -> Said:
    """Exact numbers."""
    first, said = found[0], [""]
    for other in found[1:]:
        if other is None or first is None:
            said.append("not known" if other is not first else "")
        elif other == first:
            said.append("")
        else:
            said.append(f"{abs(other - first):,} {'more' if other > first else 'fewer'}")
    return Said(
        _worst(found, said, ["differs" if text and text != "not known" else "same" for text in said]), tuple(said)
    )


def spans(found: Sequence[Interval | None], unit: str) -> Said:
    """Intervals: a difference is sure where they do not overlap, and no difference where they do."""
    first, said, kinds = found[0], [""], list[Kind](["same"])
    for other in found[1:]:
        if first is None or other is None:
            said.append("" if first is other else "not known")
            kinds.append("same")
            continue
        kind, text = _against(first, other, unit)
        said.append(text)
        kinds.append(kind)
    return Said(_worst(found, said, kinds), tuple(said))


def _worst(found: Sequence[object], said: Sequence[str], kinds: Sequence[str]) -> Kind:
    if "differs" in kinds:
        return "differs"
    if any(one is None for one in found) or "not known" in said or "unknown" in kinds:
        return "unknown"
    return "within" if "within" in kinds else "same"


def _against(first: Interval, other: Interval, unit: str) -> tuple[Kind, str]:
    if first == other and first.hi is not None and first.lo == first.hi:
        return "same", ""
    more, less = _WORDS.get(unit, ("more", "less"))
    # Every value of the one against every value of the other.
    low = None if first.hi is None else other.lo - first.hi
    high = None if other.hi is None else other.hi - first.lo
    if low is not None and low == high and low != 0:
        return "differs", f"{_exactly(abs(low), unit)} {more if low > 0 else less}"
    if low is not None and low > 0:
        return "differs", f"{_span(low, high, unit)} {more}"
    if high is not None and high < 0:
        return "differs", f"{_span(-high, None if low is None else -low, unit)} {less}"
    if low is None and high is None:
        return "unknown", "neither has an upper bound"
    return "within", WITHIN


def _span(low: float, high: float | None, unit: str) -> str:
    if unit == "seconds":
        least, most = words.at_least(low), None if high is None else words.at_most(high)
    elif unit == "ratio":
        least, most = _points(low), None if high is None else _points(high)
    else:
        least, most = words.quantity(low, unit), None if high is None else words.quantity(high, unit)
    if most is None:
        return f"at least {least}"
    return least if least == most else f"{least} to {most}"


def _exactly(amount: float, unit: str) -> str:
    return _points(amount) if unit == "ratio" else words.quantity(amount, unit)


def _points(ratio: float) -> str:
    return f"{ratio * 100:.3f}".rstrip("0").rstrip(".") + " percentage points"
