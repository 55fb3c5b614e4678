"""Folders of images: reading them, looking into them, and making batches of context, target and geometry."""
