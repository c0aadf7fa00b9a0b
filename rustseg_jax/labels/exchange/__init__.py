"""Labels in and out: import and export in other tools' formats, merge, back up, verify.

`formats` has one file a format.
"""
