"""The opening: one rule's strength swept from nothing to too far, as numbers, captions and a film."""
