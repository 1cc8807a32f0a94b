"""What files cost: a hop to a thread, reading and writing beside other ways to do it, and a million of them."""
