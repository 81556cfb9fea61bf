"""Encoders of samples to latents: one a file, whose stem is its name in recipes."""
