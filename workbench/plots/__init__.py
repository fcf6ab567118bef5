"""Pictures: arrays and Traces in, HoloViews elements or matplotlib axes out. Nothing here runs a model."""
