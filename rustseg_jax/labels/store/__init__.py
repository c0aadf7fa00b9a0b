"""The append-only SQLite database of expert labels, and its photos.

`store` is the interface, `schema` and `migrations` define the tables, `files` stores the photos,
`drafts` has the input types and `checks` validates them.
"""

from rustseg_jax.labels.store.store import Store, labels_folder

__all__ = ["Store", "labels_folder"]
