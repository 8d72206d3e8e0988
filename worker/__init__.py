"""The Celery worker: the listener of `logs_topic`, and the home of background jobs."""
