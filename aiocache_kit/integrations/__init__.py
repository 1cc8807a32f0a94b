"""Doors to other people's software: each optional package is imported in one file only, when it is asked for."""
