"""Redis: one server, Sentinel or Cluster, over few connections that all tasks share."""
