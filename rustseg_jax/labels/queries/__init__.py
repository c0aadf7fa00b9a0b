"""Queries on the labels store: filtered lists, the queue of photos to correct, and counts."""
