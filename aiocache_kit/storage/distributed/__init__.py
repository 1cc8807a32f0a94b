"""The distributed storage: items spread over nodes, each of which is a storage."""
