"""What every other room may use: errors, names of files, text, the record of a run, the process and its disk."""
