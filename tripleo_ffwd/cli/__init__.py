"""The command line: tripleo-ffwd."""
