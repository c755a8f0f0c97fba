"""This engine on a GPU, against what the GPU can do and against its peers there."""
