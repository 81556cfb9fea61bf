"""Techniques: switches of any recipe, one a file, whose stem is its name in recipes."""
