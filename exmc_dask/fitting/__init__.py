"""The doors of the other methods: a model goes in, a mode, an approximation or draws come out.

``running`` has the parts of a fit run wherever chains can run, ``approximation`` is what a fit
returns, ``doors`` is what users call.
"""
