"""Which tasks belong together: data maps recorded while training, task features, affinities, clusters of tasks."""
