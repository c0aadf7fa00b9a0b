"""Parts of the Correct page: photo preparation, form, saving, history and the next photo."""
