"""Experts compared: agreement, one mask of many, which stage of the method lost what."""
