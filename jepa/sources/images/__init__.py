"""From files of images to squares in memory: what they may ask for, what they are, and what is kept."""
