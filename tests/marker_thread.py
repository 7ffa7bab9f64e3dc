"""The marker writer in a thread of the test's own process."""

from __future__ import annotations

import threading

from drillmark import samples
from drillmark.model.evidence import Table
from drillmark.observe import child, markers


class MarkerThread:
    """Begins at once. `error` is what ended it; `ledger` the name of what it writes."""

    def __init__(self, me: child.Child, ledger: str = "ledger") -> None:
        self.me = me
        self.error: BaseException | None = None
        self._ledger = ledger
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self) -> None:
        try:
            markers.observe(self.me)
        except BaseException as error:
            self.error = error

    def table(self) -> Table:
        return samples.read(self.me.samples(self._ledger))

    def end(self) -> Table:
        """Stop it; what it wrote. Raises what ended it."""
        self.me.stop_requested = True
        self.thread.join(60)
        assert not self.thread.is_alive()
        if self.error:
            raise self.error
        return self.table()
