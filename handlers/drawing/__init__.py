"""Pure functions from results to pictures (PIL, NumPy); run in the studio process, never in the loop."""
