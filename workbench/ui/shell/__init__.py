"""The shell that all pages share: header, navigation, link, undo, copy as code, export, tour. See docs/ui.md."""
