"""Images of masks and maps, for pages and files.

`overlay` draws masks, heat maps and uncertainty on a photo, `difference` compares a mask with the
true one, `encode` encodes image files.
"""
