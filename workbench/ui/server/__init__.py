"""What all pages of one server share: parts, drawing processes, fair turns, and who may ask."""
