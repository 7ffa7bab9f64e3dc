"""One file for each revision, `rNNNN_what.py`."""
