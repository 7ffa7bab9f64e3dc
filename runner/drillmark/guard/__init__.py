"""The guard: a dead-man's switch, a process of its own outside the runner.

It watches the runner's lease. When that runs out, or an abort is not obeyed, it takes the run over: raises the
epoch, takes the run's lock (ending the runner if need be), ends the experiment's child, undoes what the undo file
holds, and writes its own log. It never writes the journal, and never does anything but undo.
"""
