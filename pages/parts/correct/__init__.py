"""What the page Correct is made of: the photo made ready, the form, saving, what is next."""
