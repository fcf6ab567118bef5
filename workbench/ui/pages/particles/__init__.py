"""The page of particles."""
