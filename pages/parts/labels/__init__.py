"""Parts of the Labels page: list, single photo, agreement between experts, review and export."""
