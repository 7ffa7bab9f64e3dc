"""How long users were without service: RTA, and the durations beside it."""
