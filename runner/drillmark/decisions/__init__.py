"""What people decide: approvals, the global stop, pauses, triggers. One chain of entries for a whole workspace.

`chain` reads and appends, `state` (pure) says what of it is in force. Must never act on what was decided.
"""

from drillmark.decisions.chain import CHAIN, DECIDED, append, read
from drillmark.decisions.state import SCHEDULE, Approval, Pause, State, Stop, Trigger, state

__all__ = ["CHAIN", "DECIDED", "SCHEDULE", "Approval", "Pause", "State", "Stop", "Trigger", "append", "read", "state"]
