"""The workshop behind the counter: one queue, worker processes, models and their weights.

Nothing here knows what a chat is. The way in is `InferenceQueue.submit(Job)`.
"""
