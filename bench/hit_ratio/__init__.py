"""Which share of requests each eviction policy answers, on made-up traffic and on trace files, against the optimum."""
