"""Load from users' own Locust files, in a process of its own, every request recorded."""
