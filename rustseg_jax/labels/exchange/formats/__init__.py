"""File formats of other tools, one module each, independent of the store.

A module has `write(items, folder)`, `read(place, ...)`, or both. It writes `Item`s: the file of a
photo and the chosen correction. It reads `Found`s: the file of a photo and its label, which is
decoded once the size of the photo is known.
"""
