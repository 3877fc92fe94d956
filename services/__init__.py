"""One file for each source of data; ``feeds`` holds what travels."""
