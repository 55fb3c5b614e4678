"""`Layer` and `Parameter`, and what every layer is made of."""
