"""Mistral actions: thin adapters between a workflow context and the planes below."""
