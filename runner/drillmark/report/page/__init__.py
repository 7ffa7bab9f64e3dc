"""`report.html`: one self-contained page of a run, in the order in which people ask. Pure: texts come in, one goes out.

Everything that a person or a target wrote is escaped, and the page's own policy lets nothing be fetched and no script
run but its own. Must never show a number that the result does not hold.
"""

from typing import TYPE_CHECKING

from drillmark import lazily

if TYPE_CHECKING:
    from drillmark.report.page.rendering import Assets, Material, render

__all__ = ["Assets", "Material", "render"]
__getattr__ = lazily.parts(__name__, dict.fromkeys(__all__, "rendering"))
