"""Tables: files of rows and columns, what kinds of values these have, and how an encoder sees them."""
