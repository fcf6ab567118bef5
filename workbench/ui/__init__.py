"""Pages and controls. Only this room knows Panel and ipywidgets."""
