"""From results to pictures: pure functions (PIL, NumPy), run in the studio process."""
