"""Clips: from files or folders of frames to arrays (channels, frames, height, width), and clips that are drawn."""
