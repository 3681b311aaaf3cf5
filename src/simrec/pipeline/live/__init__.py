"""A site's blocks kept up to date, article by article: the same blocks that a build from nothing gives."""
