"""Large photos in overlapping windows.

`plan` says which windows and what they cost, `windows` shows them to the network, and `evidence`
is what the network says of a photo, whole or in windows.
"""
