"""How good the method is on pictures whose truth is known.

`run` evaluates a data folder, `scores` makes its numbers, `stage_losses` says which stage loses
what, `failures` and `failure_measures` are the published method's four failures, `heatmap_study`
compares heat maps, and `measurements` keeps the numbers beside the weights.
"""
