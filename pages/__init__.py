"""One file for each page. Pages import ``framework`` and ``services.feeds``, nothing else."""
