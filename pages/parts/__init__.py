"""Parts used by a single page: one folder per page."""
