"""The values that cross a seam between rooms, the registry, errors and seeds. Nothing here loads torch."""
