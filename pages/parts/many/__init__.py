"""What the page Many photos is made of: choosing photos, and the gallery of results."""
