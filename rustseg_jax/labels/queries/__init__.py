"""Questions to the labels store: lists by filter, the queue of what is next, counts."""
