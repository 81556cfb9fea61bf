"""Small GANs with known health, trained as an outside user of gandiag would train them."""
