"""Keeps what runs leave behind at a place that outlives their machine: a folder, or a bucket of S3.

A run is marked when it begins, copied when it is over, and its mark goes when all of it is there: so a place that
cannot be reached only has to be asked again. Must never touch a run, and never stop or fail one.
"""

from drillmark.artifacts.keeping import Kept, Marker, keep, mark
from drillmark.artifacts.place import VARIABLE, Place, configured
from drillmark.artifacts.thinning import Copies

__all__ = ["VARIABLE", "Copies", "Kept", "Marker", "Place", "configured", "keep", "mark"]
