"""Faces on paper of a finished run: `result.json`, `report.md`, `junit.xml`. Rendered purely from what was measured.

Must never measure or judge anything anew: every number here is one that was handed in.
"""
