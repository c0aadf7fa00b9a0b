"""Reporting of a result: in words, as JSON, as grades, as files.

`report` describes a result, `grading` derives the grade from the rusted area, `surface` measures
the marked part of a photo, `outcomes` summarises many photos and `results_folder` stores them.
"""
