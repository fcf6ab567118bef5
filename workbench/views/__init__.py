"""What a picture shows, computed without Panel: questions and their answers. `workbench.ui` only shows it."""
