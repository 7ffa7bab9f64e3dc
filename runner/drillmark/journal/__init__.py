"""The journal J: what happened in a run. `entries` is pure, `store` keeps them in SQLite."""
