"""The panel process: takes frames over a Unix socket, lights LEDs, and knows nothing else."""
