"""Reports: one HTML file from Results or from a run log, which opens anywhere and loads nothing."""
