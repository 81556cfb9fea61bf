"""Moments, the Frechet distance, neighbours, half-sampling, histograms and the feature bank."""
