"""Trains, packs and checks the models that come with the page."""
