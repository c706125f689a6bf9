"""One file for each model. They are loaded in worker processes only."""

import os

# No usage statistics for the hub: its library reads this when it is imported, which is after this.
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
