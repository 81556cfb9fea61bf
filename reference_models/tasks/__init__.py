"""What image-to-image models learn: one task a file, whose stem is its name in recipes."""
