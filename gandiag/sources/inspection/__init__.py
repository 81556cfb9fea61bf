"""What a file is, told without running anything in it."""
