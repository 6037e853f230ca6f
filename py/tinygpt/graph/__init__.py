"""Launches as data: capture, the Program that replays them, and the passes that rewrite it."""
