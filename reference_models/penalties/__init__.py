"""Penalties on the discriminator: one a file, whose stem is its name in recipes."""
