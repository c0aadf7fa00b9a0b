"""Parts of the page Many photos: the photo chooser and the gallery of results."""
