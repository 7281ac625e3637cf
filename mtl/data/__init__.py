"""The way of data from files to the batches that the training loop draws.

`formats` reads files within bounds; `sources` turns each kind of source into arrays; `files` knows which files there
should be, fetches and checks them; `build` is the stage `prepare`'s door to the three. `loading` reads what that stage
has written: tasks, windows, pools of samples and the plan of batches. It alone is in the dependencies of stages that
train, so a new source or a change in a download trains nothing again.
"""
