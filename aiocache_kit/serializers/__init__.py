"""Objects to bytes and back, one format a file, and the reading of plain values as the types that callers name."""
