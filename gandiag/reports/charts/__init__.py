"""Charts as SVG text: readable without scripts, in light and dark, on paper, and by a screen reader."""
