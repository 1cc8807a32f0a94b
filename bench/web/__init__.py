"""What a cache costs a request: routes of FastAPI, without a network."""
