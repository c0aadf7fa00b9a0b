"""How sure a result is.

`augmentations` shows the network the photo again (mirrored, shifted, at other sizes), `doubt` maps
where the answers differ, `interval` bounds the rusted area.
"""
