"""The mathematics, in torch and NumPy: no pictures, no widgets, no files beyond data and checkpoints."""
