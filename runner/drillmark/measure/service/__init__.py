"""How service was: beats, load, and the service level over any window."""
