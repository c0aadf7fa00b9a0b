"""One model shared by all visitors: the queue, the cache of results, and the computations."""
