"""Files that we write: whole or not at all, by one process at a time, and known as ours afterwards."""
