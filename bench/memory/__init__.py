"""What an entry costs in memory beyond its key and its value, at a million entries."""
