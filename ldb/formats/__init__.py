"""Label formats: how data files and annotations lie together in folders, one file each."""
