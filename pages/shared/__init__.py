"""Code shared by several pages: photos, addresses, people, wording and page setup."""
