"""Other methods than NUTS: modes and normal laws around them, variational fits, particles.

Each method is a module that knows a compiled model, its data and a record of ``settings``. Like a
chain, a part of a fit (a climb, a path, a population) is begun by ``start`` and carried on in
blocks by ``run``, which is pure, so the pools and the plan that keep chains alive keep it alive.
"""
