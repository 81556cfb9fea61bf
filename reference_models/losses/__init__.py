"""Adversarial losses: one a file, whose stem is its name in recipes."""
