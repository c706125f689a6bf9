"""What the operator sees of the queue: Prometheus metrics, in seconds and counts."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

WAITING = Gauge("tadim_queue_waiting", "Jobs waiting", ["room"])
RUNNING = Gauge("tadim_queue_running", "Jobs at a worker", ["room"])
WAIT = Histogram(
    "tadim_queue_wait_seconds",
    "From submission to start",
    ["task"],
    buckets=(0.01, 0.05, 0.1, 0.5, 1, 2, 5, 10, 30, 60, 120, 300),
)
SERVICE = Histogram(
    "tadim_job_service_seconds",
    "Device time of a job (its share of the batch)",
    ["task"],
    buckets=(0.005, 0.01, 0.05, 0.1, 0.5, 1, 2, 5, 10, 30, 60, 300),
)
BATCH = Histogram("tadim_batch_size", "Jobs in a batch", ["task"], buckets=(1, 2, 4, 8, 16, 32))
OUTCOMES = Counter("tadim_jobs_total", "Jobs by outcome", ["task", "outcome"])
SHARED = Counter("tadim_jobs_shared_total", "Jobs answered by an equal job's run", ["task", "how"])
RESTARTS = Counter("tadim_worker_restarts_total", "Worker processes lost", ["room"])
