"""What the operator sees of the queue: Prometheus metrics, in seconds, bytes and counts."""

from __future__ import annotations

from functools import cache

from prometheus_client import Counter, Gauge, Histogram

_SECONDS = (0.005, 0.01, 0.05, 0.1, 0.5, 1, 2, 5, 10, 30, 60, 120, 300)

# A room's, read from the queue when somebody asks.
WAITING = Gauge("tadim_queue_waiting", "Jobs waiting", ["room"])
RUNNING = Gauge("tadim_queue_running", "Jobs at a worker", ["room"])
WORKERS = Gauge("tadim_workers_ready", "Workers that take jobs", ["room"])
FAIRNESS = Gauge(
    "tadim_queue_fairness",
    "Jain's index of the device time that waiting chats have had of their fair shares (1: fair)",
    ["room"],
)
HELD = Gauge("tadim_queue_held_bytes", "Payloads of jobs that have no outcome yet")

WAIT = Histogram("tadim_queue_wait_seconds", "From submission to start", ["task"], buckets=_SECONDS)
SERVICE = Histogram(
    "tadim_job_service_seconds",
    "Device time of a job (its share of the batch)",
    ["task"],
    buckets=_SECONDS,
)
BATCH = Histogram("tadim_batch_size", "Jobs in a batch", ["task"], buckets=(1, 2, 4, 8, 16, 32))
ETA_ERROR = Histogram(
    "tadim_eta_error_ratio",
    "First ETA told to a waiting job: seconds it was wrong by, over seconds from submission",
    ["task"],
    buckets=(0.05, 0.1, 0.2, 0.3, 0.5, 1, 2, 5),
)
OUTCOMES = Counter("tadim_jobs_total", "Jobs by outcome", ["task", "outcome"])
REFUSED = Counter("tadim_jobs_refused_total", "Jobs refused at the door", ["task", "scope"])
SHARED = Counter("tadim_jobs_shared_total", "Jobs answered by an equal job's run", ["task", "how"])
REPEATED = Counter("tadim_jobs_repeated_total", "Jobs given to a worker again", ["task", "why"])
SMALLER = Counter("tadim_batches_split_total", "Batches that did not fit into memory", ["task"])
LOADS = Histogram(
    "tadim_model_load_seconds", "Models read into memory", ["model"], buckets=_SECONDS
)
EVICTIONS = Counter("tadim_model_evictions_total", "Models put out of memory", ["model"])
RESTARTS = Counter("tadim_worker_restarts_total", "Workers lost", ["room"])


class OfTask:
    """The metrics that every job touches, found once for each task."""

    def __init__(self, task: str) -> None:
        self.wait = WAIT.labels(task)
        self.service = SERVICE.labels(task)
        self.batch = BATCH.labels(task)
        self.eta_error = ETA_ERROR.labels(task)
        self.done = OUTCOMES.labels(task, "done")


@cache
def of_task(task: str) -> OfTask:
    return OfTask(task)
