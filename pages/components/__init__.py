"""Browser components of the pages: a Python interface, and HTML, CSS and JavaScript for each."""
