"""What shapes the space of embeddings: distances between and around category representations."""
