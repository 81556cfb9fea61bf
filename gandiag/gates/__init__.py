"""Gates: hold a Result, and the log of its run, to a policy; say pass, fail or inconclusive, and why."""
