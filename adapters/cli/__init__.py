"""The adapter's life from the command line: a file for each group of commands, and two ways to reach a registry behind one seam."""
