"""Pictures of arrays: what pages show and files hold.

`overlay` lays masks, heat maps and doubt over a photo, `difference` compares a mask with the true
one, `encode` writes pictures as files.
"""
