"""The durable store of a run: a zarr hierarchy that plain xarray opens, and what resuming needs.

::

    run.zarr/
      zarr.json                        root; it repeats the metadata of all nodes
      posterior/NAME/c/CHAIN/K/0...    chunk K of a chain: rows [K n, (K + 1) n), n = chunk_draws
      sample_stats/...                 as in the result of `exmc_dask.sample`; written when full
      observed_data/... constant_data/...
      exmc/manifest.json               what was asked for; names the digests of the next two
      exmc/model.msgpack exmc/data.npz the model; its data, coordinates, starting points
      exmc/owner.json                  who may write, and how many draws are wanted by now
      exmc/lessons/GROUP-DRAW.npz      what chains learnt together, with pool=
      exmc/tails/CHAIN.npz             state of a chain, and the rows after its last full chunk

Where workers write draws, there are no chunks, but::

      exmc/pieces/RUN-uU-dD-aA         draws of one block, as one attempt at it wrote them
      exmc/view/                       the metadata of zarr's hierarchy, for `exmc_dask.open_store`

Chunks, pieces and lessons are written first and the tail after them; readers believe the tail. So
whenever the writer dies, what is read is a prefix of each chain together with the state that it
ends in.
"""
