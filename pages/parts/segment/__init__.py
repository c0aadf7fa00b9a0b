"""Parts of the page Find rust: the result, its images, its controls."""
