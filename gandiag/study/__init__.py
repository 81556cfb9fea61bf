"""The human study: people say what looks real, and their answers become scores."""
