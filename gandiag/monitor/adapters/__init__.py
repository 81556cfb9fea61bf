"""The monitor inside trainers that own the loop; each module needs its package, and is imported only when used."""
