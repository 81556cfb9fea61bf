"""Watching a GAN in training: signals from its loop, detectors over them, and alerts to where they are read."""
