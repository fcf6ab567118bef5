"""What `workbench.plots` gives: HoloViews elements from public types, each drawn by Bokeh and by matplotlib."""
