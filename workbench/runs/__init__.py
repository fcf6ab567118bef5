"""One run as a process on disk: training, going on online, and trainings in child processes. Only files and the engine."""
