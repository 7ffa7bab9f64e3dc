"""Observers: the prober, the marker writer and its read-back; processes that outlive the runner."""
