"""Reading and writing chosen entries, and putting them in order."""
