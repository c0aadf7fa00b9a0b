"""Parts of pages that run in the browser: a Python face, and HTML, CSS and JavaScript each."""
