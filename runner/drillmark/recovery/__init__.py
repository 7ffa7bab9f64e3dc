"""Recovery methods as ordinary Chaos Toolkit functions: restore, fence, switch over, prove.

`postgres_pitr` and `probes` are what users name; the other modules are their parts. Nothing here ever gets the
path of what a fault moved aside, and nothing overwrites the only copy: a restore goes into a fresh directory.
"""
