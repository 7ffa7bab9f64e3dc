"""Plays a prepared experiment with chaoslib's own runner, and changes it in four places.

Where: (1) after the method of a drill it waits; (2) rollbacks run always (but where a bare experiment's own strategy
says otherwise), each of them, whatever happened to the others; none where the method never began; (3) an exception in
the hypothesis after does not skip them; (4) a control whose `configure_control` raises ends the run before anything
begins. All else is chaoslib's. The places are functions that chaoslib looks up in its modules when it calls them; they
are put there in this process, which does nothing else. Imported in the experiment child alone. Must never return with
a fault in place, other than by dying, or where it was told so.
"""

from __future__ import annotations

import logging
import signal
import threading
import traceback
from typing import TYPE_CHECKING, Any

import chaoslib.activity
import chaoslib.control
import chaoslib.hypothesis
import chaoslib.rollback
import chaoslib.run
from chaoslib.caching import cache_activities
from chaoslib.settings import loaded_settings
from chaoslib.types import Dry

from drillmark.chaos import tracing
from drillmark.chaos.events import EventLog, Phase, What
from drillmark.chaos.layout import dereference, name_of, places
from drillmark.chaos.recording import Place, Recorder
from drillmark.chaos.runner import AfterControls, OurRunner, no_record, plays, registry_of
from drillmark.chaos.values import jsonable

if TYPE_CHECKING:
    from collections.abc import Callable

    from drillmark.chaos.inside import Channel
    from drillmark.chaos.preparing import Prepared
    from drillmark.chaos.redact import Redactor

logger = logging.getLogger("drillmark.chaos")

# chaoslib's exit codes for "interrupted, with rollbacks" and "interrupted, without"
_WITH_ROLLBACKS = 20
_WITHOUT_ROLLBACKS = 30

# Any: chaoslib's annotations leave out the None that its own callers pass
_execute_activity: Any = chaoslib.activity.execute_activity
_initialize_control: Any = chaoslib.control.initialize_control
_run_rollback: Any = chaoslib.run.run_rollback
_hypothesis_after: Any = chaoslib.run.run_deviation_validation_hypothesis


class ControlError(BaseException):
    """A control could not be configured. Not an Exception, because chaoslib swallows those from event handlers."""


def play(prepared: Prepared, channel: Channel, events: EventLog, redactor: Redactor) -> bool:
    """Run the experiment to its end. Returns whether it came to its end; raises what chaoslib lets out."""
    recorder = Recorder(events, redactor, prepared.settled, prepared.journal_path, prepared.journal_copy)
    player = _Player(prepared, channel, recorder)
    if not events.write(What.STARTED, status=prepared.strategy.value):
        return False
    player.install()
    error = ""
    try:
        player.run()
    except BaseException as raised:
        if not recorder.method_began:
            raise
        logger.exception("chaos toolkit gave up after the method had begun")
        error = redactor.text(f"{type(raised).__name__}: {raised}")
        player.undo_rest()
    recorder.keep_journal(ended=True)
    journal = recorder.journal or {}
    status, deviated = str(journal.get("status")), bool(journal.get("deviated"))
    if prepared.notifies and prepared.settings.get("notifications"):
        from drillmark.chaos import notifying  # noqa: PLC0415 - whoever tells nobody does not wait for it

        notifying.ended(prepared.settings, redactor.value(jsonable(journal)))
    if not recorder.method_began and not recorder.gate_failed:
        events.write(What.FAILED, status=status, error="a control interrupted the experiment before its method")
        return False
    events.write(What.FINISHED, status=status, deviated=deviated, error=error)
    return True


class _Player:
    def __init__(self, prepared: Prepared, channel: Channel, recorder: Recorder) -> None:
        self._experiment = prepared.experiment
        self._prepared = prepared
        self._channel = channel
        self._recorder = recorder
        self._command: str | None = None
        self._control_errors: list[str] = []
        self._waived = False  # told not to undo, by the strategy of a bare experiment
        # By identity: names may occur twice, and a `ref` may lead to an activity of another section.
        self._places = {id(activity): (section, index) for section, index, activity in places(self._experiment)}

    def install(self) -> None:
        for module in (chaoslib.activity, chaoslib.hypothesis, chaoslib.rollback):
            setattr(module, "execute_activity", self._execute)  # noqa: B010 - the modules are of several types
        chaoslib.control.initialize_control = self._initialize_control
        chaoslib.run.run_rollback = self._rollback
        chaoslib.run.run_deviation_validation_hypothesis = self._hypothesis_after
        # As chaoslib's `exit_signals`, for `exit_gracefully` within an activity; but the rollbacks always run.
        for number in (signal.SIGUSR1, signal.SIGUSR2):
            signal.signal(number, _leave_the_method)

    def run(self) -> None:
        """Play the experiment. Raises what chaoslib lets out."""
        cache_activities(self._experiment)
        loaded_settings.set(self._prepared.settings)
        self._experiment["dry"] = Dry.from_string(self._prepared.dry or "")
        runner = OurRunner(self._prepared)
        runner.register_event_handler(self._recorder)
        runner.register_event_handler(AfterControls(self._refuse_without_controls))
        runner.play()
        # A control that leaves with chaoslib's code for "without rollbacks" gets none of them skipped either.
        undone = self._waived or self._recorder.phase is Phase.ROLLBACKS
        if self._recorder.method_began and not undone:
            self._undo_all(self._recorder.journal or {}, lambda: None)

    # -- (1) the hold, (3) the hypothesis after -------------------------------------------------------------------

    def _hold(self, journal: dict[str, Any]) -> str:
        """Wait once, after the method, for what the parent wants. Returns `finish` or `undo`."""
        if self._command is not None:
            return self._command
        for number in (signal.SIGUSR1, signal.SIGUSR2):
            signal.signal(number, _ignore)
        status = str(journal["status"] or "completed")
        self._recorder.keep_journal()
        told = self._recorder.events.write(What.METHOD_COMPLETED, phase=Phase.METHOD.value, status=status)
        if not told:
            self._command = "undo"  # nobody would ever answer
        elif not self._prepared.holds:
            self._command = "finish"
        else:
            while self._command not in ("finish", "undo"):
                self._command = self._channel.receive()
        return self._command

    def _hypothesis_after(self, experiment: dict[str, Any], journal: dict[str, Any], *others: Any) -> Any:
        if self._hold(journal) != "finish":
            return None
        self._recorder.phase = Phase.AFTER
        try:
            return _hypothesis_after(experiment, journal, *others)
        except Exception as error:
            logger.exception("the hypothesis after the method could not be checked")
            journal["status"] = "aborted"
            self._recorder.hypothesis_unchecked(error)
            return None

    # -- (2) rollbacks ---------------------------------------------------------------------------------------------

    def _rollback(
        self, strategy: str, pool: Any, experiment: dict[str, Any], journal: dict[str, Any], *others: Any
    ) -> None:
        if not self._recorder.method_began:
            return
        if plays(strategy, journal):
            self._undo_all(journal, lambda: _run_rollback(strategy, pool, experiment, journal, *others))
        else:
            self._waived = True
            self._recorder.events.write(What.ROLLBACKS_WAIVED, phase=Phase.ROLLBACKS.value, status=strategy)

    def _undo_all(self, journal: dict[str, Any], play: Callable[[], None]) -> None:
        """Wait for what the parent wants, then let chaoslib play the rollbacks, and play those that it does not."""
        recorder = self._recorder
        self._hold(journal)
        recorder.phase = Phase.ROLLBACKS
        recorder.events.write(What.ROLLBACKS_STARTED, phase=Phase.ROLLBACKS.value)
        try:
            play()
        except (Exception, SystemExit):  # a control may raise anything; the rest must run
            logger.exception("the rollbacks were interrupted")
        self.undo_rest()
        recorder.events.write(What.ROLLBACKS_COMPLETED, phase=Phase.ROLLBACKS.value)

    def undo_rest(self) -> None:
        """Run the rollbacks that have not begun."""
        self._recorder.phase = Phase.ROLLBACKS
        runs = (self._recorder.journal or {}).setdefault("rollbacks", [])
        for index, activity in enumerate(self._experiment.get("rollbacks") or []):
            if index not in self._recorder.undone:
                self._undo(Place(Phase.ROLLBACKS, index), activity, runs, self._without_controls(activity))

    def _execute(
        self,
        experiment: dict[str, Any],
        activity: dict[str, Any],
        configuration: Any,
        secrets: Any,
        dry: Any,
        event_registry: Any = None,
        runs: list[dict[str, Any]] | None = None,
    ) -> Any:
        """Stands in for chaoslib's `execute_activity`: knows the place, and lets nothing out of a rollback."""
        section, index = self._places.get(id(activity), ("", -1))
        phase = {"method": Phase.METHOD, "rollbacks": Phase.ROLLBACKS}.get(section, self._hypothesis_phase())
        place = Place(phase, index)

        def execute() -> Any:
            traced = tracing.hand_on(activity, tracing.of_experiment(phase, index))
            return _execute_activity(experiment, traced, configuration, secrets, dry, event_registry, runs)

        if phase is Phase.ROLLBACKS:
            return self._undo(place, activity, runs if runs is not None else [], execute)
        with self._recorder.at(place):
            try:
                return execute()
            except BaseException as error:
                self._recorder.never_started(place, activity, error)
                if isinstance(error, SystemExit) and error.code == _WITHOUT_ROLLBACKS:
                    raise SystemExit(_WITH_ROLLBACKS) from error
                raise

    def _undo(
        self, place: Place, activity: dict[str, Any], runs: list[dict[str, Any]], execute: Callable[[], Any]
    ) -> dict[str, Any]:
        """Run one rollback, with whatever it takes, and return its record. Nothing gets out."""
        recorder = self._recorder
        recorder.undone.add(place.index)
        error: BaseException | None = None
        for attempt in (execute, self._without_controls(activity)):
            with recorder.at(place):
                try:
                    attempt()
                except (Exception, SystemExit, KeyboardInterrupt) as raised:
                    error = raised
                    logger.exception("rollback '%s'", name_of(activity))
            # A control must not veto an undo: what never reached its provider is tried once more without controls.
            if place.started or error is None:
                break
        if error is not None:
            recorder.never_started(place, activity, error)
        run = place.run
        if run is None:
            run = no_record(activity)
            runs.append(run)
        if "status" not in run:
            run["status"] = "failed"
            run["exception"] = traceback.format_exception_only(error) if error else ["it ended without a status"]
        recorder.keep_journal()
        return run

    def _without_controls(self, activity: dict[str, Any]) -> Callable[[], Any]:
        found = dereference(self._experiment, activity) or activity
        bare = {key: value for key, value in found.items() if key != "controls"}
        settled = self._prepared.settled
        registry = registry_of(self._recorder)
        runs = (self._recorder.journal or {}).get("rollbacks")
        # An empty experiment has no controls.
        return lambda: _execute_activity({}, bare, settled.configuration, settled.secrets, None, registry, runs)

    def _hypothesis_phase(self) -> Phase:
        # chaoslib checks a hypothesis continuously in a thread of its own, which begins before the method does.
        return self._recorder.phase if threading.current_thread() is threading.main_thread() else Phase.DURING

    # -- (4) controls ----------------------------------------------------------------------------------------------

    def _initialize_control(self, control: dict[str, Any], *others: Any, **named: Any) -> None:
        try:
            _initialize_control(control, *others, **named)
        except Exception as error:
            self._control_errors.append(
                f"the control '{control.get('name')}' cannot be configured: {type(error).__name__}: {error}"
            )
            raise

    def _refuse_without_controls(self) -> None:
        if self._control_errors:
            raise ControlError("; ".join(self._control_errors))


def _leave_the_method(_number: int, _frame: object) -> None:
    raise SystemExit(_WITH_ROLLBACKS)


def _ignore(_number: int, _frame: object) -> None:
    """An undo is not interrupted."""
