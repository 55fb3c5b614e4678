"""A run on disk: its folder, its checkpoints, and opening it again."""
