"""A run on many workers: the plan that recovers it, the driver, and the pools that do the work.

::

    driver.Driver ── events ──> plan.Plan ── commands ──> a pool
      ^                                                 │  ThreadPool   this process
      └────────────── moves: what happened <────────────┤  ChildPool    processes on pipes
                                                        └  DaskPool     a Dask cluster

``plan`` decides and does nothing else; ``driver`` carries; ``pools`` do. ``worker`` is what runs
where the block runs, whichever pool sent it, and calls one of ``engines``; ``messages`` are how
both sides write to each other. ``display`` and ``dashboard`` show; ``clusters`` are our own ones.
"""
