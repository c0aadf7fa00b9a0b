"""Large photos, analysed in overlapping tiles.

`plan` places the tiles, `windows` runs the network on them, and `evidence` holds the output of
the network for a photo, whole or tiled.
"""
