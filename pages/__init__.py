"""The pages of the app, one file each; `shared` holds what they have in common."""
