"""Corrections drawn by an expert.

`strokes` replays strokes on a mask, `polygon` fills polygons, `superpixels` segments the photo
for the one-click tool, `completion` checks the CRF's completion of the strokes.
"""
