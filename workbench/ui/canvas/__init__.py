"""What the browser draws: the stages, their frames of numbers, and Bokeh figures in the house style."""
