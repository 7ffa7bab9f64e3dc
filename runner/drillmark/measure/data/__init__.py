"""What became of the data: the writes, and RPA."""
