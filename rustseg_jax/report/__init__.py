"""A result for people: in words, as JSON, as grades, as files.

`report` says what was found, `grading` what grade the rusted area implies, `surface` measures the
marked part of a photo, `outcomes` sums up many photos and `results_folder` keeps them.
"""
