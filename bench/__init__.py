"""The scales: jobs that measure the whole suite, each writing one JSON into bench/results."""
