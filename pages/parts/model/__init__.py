"""Parts of the Model page: measurements and charts of the weights in use."""
