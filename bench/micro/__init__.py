"""What single operations cost, as ratios to the floor of the same run."""
