"""Whether a run may begin: blast radius, production's rules, error budgets, the global stop.

`refusing` and what it uses are pure; `facts` and `budgets` look up what they judge, and `probes` are the guards of
budgets. Must never start, stop or undo anything: the engine does, by what is judged here.
"""

from drillmark.safety.model import BudgetFact, Facts, Judged, Refusal
from drillmark.safety.refusing import judge, refusals

__all__ = ["BudgetFact", "Facts", "Judged", "Refusal", "judge", "refusals"]
