"""What comes next: `decide(plan, entries)` gives the next effect and a sentence that says why. Pure.

The engine performs what is decided and journals it; after a crash the same function, over the same entries, says
how to go on. The rules after a crash are those of the table in `docs/explanation/architecture.md`.
"""

from drillmark.decide.decision import Decision, decide, upcoming
from drillmark.decide.steps import Step, steps

__all__ = ["Decision", "Step", "decide", "steps", "upcoming"]
