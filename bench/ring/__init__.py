"""How evenly a ring spreads keys, how few it moves, and what finding an owner takes."""
