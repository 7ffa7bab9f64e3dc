"""The phases of a drill as people call them, and which effects belong to each."""

from __future__ import annotations

from drillmark.model.entry import Effect

PHASES: dict[Effect, str] = {
    Effect.PREFLIGHT: "preflight",
    Effect.GUARD: "preparing",
    Effect.OBSERVERS: "preparing",
    Effect.LOAD: "preparing",
    Effect.PREPARE: "preparing",
    Effect.BASELINE: "baseline",
    Effect.INJECT: "fault",
    Effect.PROVE_EFFECT: "fault",
    Effect.SIDE: "declare",
    Effect.FAULT: "fault",
    Effect.DETECT: "detect",
    Effect.RECOVER: "recover",
    Effect.VERIFY: "verify",
    Effect.SOAK: "soak",
    Effect.READ_BACK: "read back",
    Effect.UNDO: "undo",
    Effect.PROVE_UNDONE: "undo",
    Effect.AFTER_UNDO: "after undo",
    Effect.STOP_LOAD: "closing",
    Effect.STOP_OBSERVERS: "closing",
    Effect.CONCLUDE: "closing",
    Effect.END: "closing",
}


def phase_of(effect: Effect, *, simulated: bool) -> str:
    """The phase of an effect. What a simulated disaster begins with is no fault: it is declared."""
    return "declare" if simulated and effect is Effect.INJECT else PHASES[effect]
