"""One part of the benchmark in this process: `python -m tests.benchmarks.queue_parts NAME`.

JSON on standard output. `tests.benchmarks.queue` calls it: each part begins with a fresh process.
Nothing is imported above, since every worker process that is spawned would import it too.
"""

if __name__ == "__main__":
    import importlib
    import json
    import logging
    import os
    import sys

    from tests.benchmarks.queue import PARTS

    name, *arguments = sys.argv[1:]
    figures = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever prints, prints elsewhere
    logging.basicConfig(level="INFO", filename=os.devnull)  # as in production, but read by nobody
    module = importlib.import_module(f"tests.benchmarks.queue_parts.{PARTS[name].module}")
    report = getattr(module, f"run_{name}")(*map(float, arguments))
    json.dump(report, figures)
