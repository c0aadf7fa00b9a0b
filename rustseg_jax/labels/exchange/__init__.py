"""Import and export of labels, merge, backup and verification.

`formats` has one module for each file format.
"""
