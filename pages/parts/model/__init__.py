"""What the page Model is made of: numbers and charts of the weights in use."""
