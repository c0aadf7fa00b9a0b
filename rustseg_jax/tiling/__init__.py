"""Analysis of large photos in overlapping tiles (windows, in the code).

`plan` lays the tiles out and estimates their cost, `windows` runs the network on them, and
`evidence` holds the network's output for a photo, analysed as a whole or in tiles.
"""
