"""The append-only SQLite database of what experts say, and the photos it owns.

`store` is its face, `schema` and `migrations` its tables, `files` its photos, `drafts` what
is handed to it, `checks` what is refused.
"""

from rustseg_jax.labels.store.store import Store, labels_folder

__all__ = ["Store", "labels_folder"]
