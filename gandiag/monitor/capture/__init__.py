"""Reading a training loop from outside: hooks on its optimizers and networks."""
