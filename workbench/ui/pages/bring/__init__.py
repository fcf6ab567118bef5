"""The page "Bring your own": files of a visitor, what they are, and what can be done with them."""
