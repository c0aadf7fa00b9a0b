"""Uncertainty of a result.

`augmentations` runs the network on variants of the photo (mirrored, shifted, at other scales),
`doubt` computes the uncertainty map from their differences, `interval` bounds the rusted area.
"""
