"""The street side: one frontend per platform, and what they share. Nothing here knows a model."""
