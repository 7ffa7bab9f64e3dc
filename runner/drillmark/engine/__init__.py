"""The engine: performs what `decide` decides. The only owner of processes, and the only part with effects.

`start.run` begins a run, `resume.resume` takes one up again after a crash, `aborting.abort` asks one to stop.
"""
