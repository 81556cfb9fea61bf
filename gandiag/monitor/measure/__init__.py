"""What is measured: gradients and samples on their device, scores and losses on the host."""
