"""What happens when a thousand callers ask for one missing key at once, and when some of them leave."""
