"""`mtl tune`: studies, their trials and workers, on this machine or on a Dask cluster."""
