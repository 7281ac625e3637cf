"""Groups of tasks: data maps recorded while training, task features, affinities, clusters of tasks."""
