"""What the middlewares for rate limits have in common: who asks, and what he is told. Knows no framework."""
