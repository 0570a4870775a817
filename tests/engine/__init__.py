"""The index over directories: real archives, real file systems, real threads."""
