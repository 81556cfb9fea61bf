"""The networks of the reference models, one a file."""
