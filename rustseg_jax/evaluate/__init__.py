"""Evaluation of the method on pictures with ground truth.

`run` evaluates a data folder, `scores` computes its numbers, `stage_losses` finds which stage loses
what, `failures` and `failure_measures` cover the four failures of the published method,
`heatmap_study` compares heat maps, and `measurements` stores the numbers beside the weights.
"""
