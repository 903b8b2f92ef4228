"""The jobs of a sweep in processes of their own: planned and checked in the parent, each recorded by itself."""
