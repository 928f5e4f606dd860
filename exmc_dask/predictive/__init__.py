"""What a model says of data, and of draws that there are; ``evaluate`` calculates, many at once.

``trace`` reads draws, ``forward`` plans and draws, ``replay`` calculates expressions for draws;
``sampling``, ``pointwise`` and ``deterministics`` are what users call.
"""
