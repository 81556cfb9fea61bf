"""Planning the work: sources and references by name, one pass a side for what all metrics need, and the Result."""
