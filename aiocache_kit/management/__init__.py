"""Policies of a cache, one idea a file: plain functions and classes, pure, without I/O and a clock of their own."""
