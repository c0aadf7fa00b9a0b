"""Other tools' formats, one module each; none of them knows the store.

A module has `write(items, folder)`, or `read(place, ...)`, or both. What is written is an
`Item`: a photo's file and the correction of it that was chosen. What is read is a `Found`: a
photo's file and what is said of it, worked out when the photo's size is known.
"""
