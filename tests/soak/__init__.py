"""A soak: several processes use all storages for a long time, while servers and processes are killed at random."""
