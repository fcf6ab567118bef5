"""The index: the opening, where to start, three roads, and every rule."""
