"""What an expert's hand does to a mask.

`strokes` replays what was drawn, `completion` judges what the CRF made of it, `superpixels` are
pieces of like colour that a click takes at once.
"""
