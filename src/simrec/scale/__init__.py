"""The same build on a cluster: in stages, each of them tasks on parts of the site that any machine can do."""
