"""What carries blocks to workers and answers back: threads, child processes, a Dask cluster."""
