"""Text to definition: drill files, targets files, `drillmark.yaml` and Chaos Toolkit experiments.

Everything that is wrong is found in one go, each problem with its place and what would be right.
Pure: texts are handed in; nothing here opens a file, asks Chaos Toolkit or looks at a clock.
"""

from typing import TYPE_CHECKING

from drillmark import lazily

if TYPE_CHECKING:
    from drillmark.define.experiment import Experiment, read_experiment
    from drillmark.define.parse import Parsed, read_drill, read_settings, read_targets

__all__ = ["Experiment", "Parsed", "read_drill", "read_experiment", "read_settings", "read_targets"]

__getattr__ = lazily.parts(
    __name__,
    {
        "Experiment": "experiment",
        "Parsed": "parse",
        "read_drill": "parse",
        "read_experiment": "experiment",
        "read_settings": "parse",
        "read_targets": "parse",
    },
)
