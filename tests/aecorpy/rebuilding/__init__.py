"""Views rebuilt beside the generation that serves."""
