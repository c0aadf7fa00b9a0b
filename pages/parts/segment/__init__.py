"""What the page Find rust is made of: the result, its pictures, its controls."""
