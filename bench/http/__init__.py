"""What a response costs that is stored, and one that is made each time."""
