"""What is asked for: crawls, the catalogue that defines them, and what is wrong with them."""
