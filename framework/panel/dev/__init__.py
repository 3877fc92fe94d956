"""``matrix dev``: a page that is being written, drawn anew in a process of its own at each save."""
