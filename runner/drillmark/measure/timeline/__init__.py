"""When things happened: the journal, on the one time axis of a run."""
