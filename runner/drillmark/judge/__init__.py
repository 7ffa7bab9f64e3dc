"""Judging: measurements against objectives, three-valued, worst wins. Pure.

Must never let missing data pass, and never judge anything that the drill did not promise or perform.
"""

from typing import TYPE_CHECKING

from drillmark import lazily

if TYPE_CHECKING:
    from drillmark.judge.core import exit_code, judge, worst

__all__ = ["exit_code", "judge", "worst"]

__getattr__ = lazily.parts(
    __name__,
    {
        "exit_code": "core",
        "judge": "core",
        "worst": "core",
    },
)
