"""What the page Labels is made of: the list, one photo, experts compared, review, export."""
