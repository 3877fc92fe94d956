"""What is measured, each figure beside its target: ``make bench``."""
