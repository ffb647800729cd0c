"""The examples run, and keep what they promise."""
